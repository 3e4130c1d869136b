#include "event_publishing.h"

#include "runtime/event_consumers.h"
#include "runtime/metrics_surfaces.h"
#include <algorithm>

namespace trellis::host {

using Cause = EventFailure::Cause;

tl::expected<std::shared_ptr<const EventType>, EventFailure> EventPublishing::find(std::string_view contract_id,
                                                                                   std::string_view name) {
  const auto refuse = [&](Cause cause, const std::string &why) {
    return tl::make_unexpected(event_failure(cause, name, std::string(contract_id) + ": " + why));
  };
  const auto may = [&](const Manifest &own) { return may_use_event(own, contract_id, name, EventUse::publish); };
  if (std::ranges::none_of(own_, may))
    return refuse(Cause::denied, "the contract of this plugin neither owns this event nor uses it to publish");
  const auto known = known_.snapshot();
  const auto own = std::ranges::find(own_, contract_id, &Manifest::id);
  const auto used = known->find(contract_id);
  if (own == own_.end() && used == known->end())
    return refuse(Cause::unavailable, "no such contract here at the moment");
  const Manifest &contract = own != own_.end() ? *own : used->second;

  const std::lock_guard lock(mutex_);
  auto &entry = compiled_[{std::string(contract_id), std::string(name)}];
  if (entry.type && entry.digest == contract.digest()) return entry.type;
  auto type = compile_event(contract, name);
  if (!type) return refuse(Cause::unavailable, type.error().text());
  entry = {contract.digest(), std::make_shared<const EventType>(std::move(*type))};
  return entry.type;
}

tl::expected<PreparedEvent, EventFailure> EventPublishing::prepare(std::string_view contract_id, std::string_view name,
                                                                   std::string_view payload, const EventTrace &trace) {
  const auto type = find(contract_id, name);
  auto prepared = type ? prepare_event(**type, payload, new_event_header(), trace) : tl::make_unexpected(type.error());
  if (!prepared) count_publisher_error(errors_, name, prepared.error(), "prepare");
  return prepared;
}

} // namespace trellis::host
