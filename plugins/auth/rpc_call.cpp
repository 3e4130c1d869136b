#include "rpc_call.h"

#include "contracts/json_write.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

std::string context_of(const Error &error) {
  JsonObjectText context;
  for (const auto &[name, value] : error.details)
    context.text(name, value);
  return context.str();
}

ErrorEnvelope invalid_input(const Error &error) {
  auto envelope = validation_error({{error.where, error.message}});
  envelope.context = context_of(error);
  return envelope;
}

// decisionBy of 02 §4.5.
std::string decider_json(const JsonValue &caller) {
  JsonObjectText out;
  for (const char *name : {"type", "participantKind", "userId", "identity"})
    if (const auto *member = find_member(caller, name)) out.json(name, to_json(*member));
  return out.str();
}

} // namespace

RpcCaller read_caller(std::string_view text) {
  RpcCaller out;
  const auto caller = parse_json(text);
  if (!caller) return out;
  out.type = string_member(*caller, "type");
  out.user_id = string_member(*caller, "userId");
  if (const auto *held = find_member(*caller, "capabilities"); held && held->IsArray())
    for (const auto &capability : held->GetArray())
      out.capabilities.emplace_back(text_of(capability));
  if (out.type == "user") out.decider = {decider_json(*caller), out.user_id};
  return out;
}

tl::expected<RpcCaller, ErrorEnvelope> require_admin(const RpcRequest &request) {
  auto caller = read_caller(request.caller);
  const bool is_admin = std::ranges::find(caller.capabilities, "admin") != caller.capabilities.end();
  if (caller.type != "user" || !is_admin) return tl::make_unexpected(auth_error("insufficient_permissions"));
  return caller;
}

tl::expected<RpcCaller, ErrorEnvelope> require_user(const RpcRequest &request) {
  auto caller = read_caller(request.caller);
  if (caller.type != "user") return tl::make_unexpected(unexpected_error("Auth failed: insufficient_permissions"));
  return caller;
}

ErrorEnvelope envelope_of(const Error &error) {
  if (error.code == "validation") return invalid_input(error);
  if (error.code == "auth") return auth_error(error.where, context_of(error));
  if (is_auth_reason(error.code)) return auth_error(error.code, context_of(error));
  return unexpected_error(error.text());
}

RpcOutcome outcome_of(Result<std::string> result) {
  if (!result) return tl::make_unexpected(envelope_of(result.error()));
  return RpcAnswer{std::move(*result), {}};
}

RpcOutcome success_of(const Result<bool> &result) {
  if (!result) return tl::make_unexpected(envelope_of(result.error()));
  return RpcAnswer{JsonObjectText().flag("success", *result).str(), {}};
}

} // namespace trellis::auth
