#include "runtime/event_publishing.h"

#include "runtime/event_consumers.h"
#include "runtime/metrics_events.h"
#include "runtime/metrics_surfaces.h"
#include <algorithm>

namespace trellis {

using Cause = EventFailure::Cause;

std::optional<Manifest> contract_called(const std::vector<Manifest> &own, const FindContract &find,
                                        std::string_view contract_id) {
  const auto found = std::ranges::find(own, contract_id, &Manifest::id);
  return found != own.end() ? *found : find(contract_id);
}

tl::expected<std::shared_ptr<const EventType>, EventFailure> EventPublishing::type_of(std::string_view contract_id,
                                                                                      std::string_view name) {
  const auto refuse = [&](Cause cause, const std::string &why) {
    return tl::make_unexpected(event_failure(cause, name, std::string(contract_id) + ": " + why));
  };
  const auto may = [&](const Manifest &own) { return may_use_event(own, contract_id, name, EventUse::publish); };
  if (std::ranges::none_of(own_, may))
    return refuse(Cause::denied, "the contract of this plugin neither owns this event nor uses it to publish");
  const auto contract = contract_called(own_, find_, contract_id);
  if (!contract) return refuse(Cause::unavailable, "no such contract here at the moment");

  const std::lock_guard lock(mutex_);
  auto &entry = compiled_[{std::string(contract_id), std::string(name)}];
  if (entry.type && entry.digest == contract->digest()) return entry.type;
  auto type = compile_event(*contract, name);
  if (!type) return refuse(Cause::unavailable, type.error().text());
  entry = {contract->digest(), std::make_shared<const EventType>(std::move(*type))};
  return entry.type;
}

tl::expected<PreparedEvent, EventFailure> EventPublishing::prepare(std::string_view contract_id, std::string_view name,
                                                                   std::string_view payload, const EventTrace &trace) {
  const auto type = type_of(contract_id, name);
  auto prepared = type ? prepare_event(**type, payload, new_event_header(), trace) : tl::make_unexpected(type.error());
  if (!prepared && errors_) count_publisher_error(*errors_, name, prepared.error(), "prepare");
  return prepared;
}

void EventPublishing::count(std::string_view name, const PublishResult &result) const {
  if (metrics_) count_published(*metrics_, name, result.has_value());
  if (errors_ && !result) count_publisher_error(*errors_, name, result.error(), "publish");
}

} // namespace trellis
