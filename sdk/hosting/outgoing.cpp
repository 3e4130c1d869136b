#include "hosting/outgoing.h"

#include <algorithm>

namespace trellis::host {
namespace {

bool group_lists(const std::optional<Named<Use>> &group, std::string_view contract_id, std::string_view name) {
  if (!group) return false;
  return std::any_of(group->begin(), group->end(), [&](const auto &entry) {
    const Use &use = entry.second;
    if (use.contract != contract_id || !use.rpc || !use.rpc->call) return false;
    return std::find(use.rpc->call->begin(), use.rpc->call->end(), name) != use.rpc->call->end();
  });
}

bool lists(const Manifest &own, std::string_view contract_id, std::string_view name) {
  const auto &uses = own.model().uses;
  return uses && (group_lists(uses->required, contract_id, name) || group_lists(uses->optional, contract_id, name));
}

} // namespace

Result<std::shared_ptr<const RpcMethod>> Outgoing::find(std::string_view contract_id, std::string_view name) {
  const std::string what = std::string(name) + " of " + std::string(contract_id);
  if (!lists(own_, contract_id, name))
    return fail("not_used", what, "the contract of this plugin doesn't use it", "an entry in `uses`");
  const auto contracts = known_.snapshot();
  const auto target = contracts->find(contract_id);
  if (target == contracts->end()) return fail("not_known", what, "no such contract here at the moment");

  const std::lock_guard lock(mutex_);
  auto &entry = compiled_[{std::string(contract_id), std::string(name)}];
  if (entry.method && entry.digest == target->second.digest()) return entry.method;
  auto method = compile_rpc(target->second, name);
  if (!method) return fail("not_known", what, method.error().text());
  entry = {target->second.digest(), std::make_shared<const RpcMethod>(std::move(*method))};
  return entry.method;
}

trellis_status status_of(const CallError &error) {
  if (!error.local) return TRELLIS_E_REMOTE;
  if (error.envelope.type == "ValidationError") return TRELLIS_E_INVALID;
  const auto code = error.envelope.code();
  if (code == "trellis.request.unavailable") return TRELLIS_E_UNAVAILABLE;
  if (code == "trellis.request.denied") return TRELLIS_E_DENIED;
  const auto cause = error.transport_code;
  if (cause == transport_error::kTimeout) return TRELLIS_E_TIMEOUT;
  if (cause == transport_error::kTooLarge) return TRELLIS_E_TOO_LARGE;
  if (cause == transport_error::kClosed) return TRELLIS_E_UNAVAILABLE;
  if (cause == transport_error::kInvalid) return TRELLIS_E_INVALID; // a trace context that is no header's value
  return TRELLIS_E_FAILED;
}

} // namespace trellis::host
