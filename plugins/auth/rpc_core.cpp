// trellis.core@v1 (05 §7), and the two RPCs of trellis.auth@v1 that stand alone: health and request validation.
#include "contracts/json_write.h"
#include "rpc_table.h"
#include "wire/ulid.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

RpcOutcome health(RpcContext &context, const RpcRequest &) {
  const std::string check = JsonObjectText()
                                .text("name", "auth-rpc")
                                .text("status", "ok")
                                .text("summary", "Auth RPC handlers are mounted.")
                                .number("latencyMs", 0)
                                .str();
  return RpcAnswer{JsonObjectText()
                       .text("status", "healthy")
                       .text("service", "trellis")
                       .text("timestamp", iso_time(context.core.now()))
                       .json("checks", "[" + check + "]")
                       .str(),
                   {}};
}

// 03 §10. The input outlives the views.
RpcOutcome validate_request(RpcContext &context, const RpcRequest &request) {
  const auto body = parse_json(request.input);
  if (!body) return tl::make_unexpected(unexpected_error(body.error().text()));
  const auto hash = base64url_decode(string_member(*body, "payloadHash"));
  if (!hash || hash->size() != Sha256{}.size()) return tl::make_unexpected(auth_error("invalid_signature"));
  ValidateInput input;
  std::ranges::copy(*hash, input.payload_hash.begin());
  input.session_key = string_member(*body, "sessionKey");
  input.proof = string_member(*body, "proof");
  input.subject = string_member(*body, "subject");
  input.request_id = string_member(*body, "requestId");
  if (const auto *iat = find_member(*body, "iat"); iat && iat->IsNumber()) input.iat = iat->GetDouble();
  if (const auto *wanted = find_member(*body, "capabilities"); wanted && wanted->IsArray())
    for (const auto &capability : wanted->GetArray())
      input.capabilities.push_back(text_of(capability));
  auto outcome = context.validation.validate(input);
  if (!outcome) return tl::make_unexpected(std::move(outcome.error()));
  return RpcAnswer{JsonObjectText()
                       .flag("allowed", outcome->allowed)
                       .text("inboxPrefix", outcome->caller->inbox_prefix)
                       .json("caller", outcome->caller->json)
                       .str(),
                   {}};
}

RpcOutcome catalog(RpcContext &context, const RpcRequest &) {
  return outcome_of(context.authority.catalog());
}
RpcOutcome get_contract(RpcContext &context, const RpcRequest &request) {
  return outcome_of(context.authority.get_contract(request.input));
}
RpcOutcome get_bindings(RpcContext &context, const RpcRequest &request) {
  return outcome_of(context.authority.get_bindings(request.input, request.caller));
}
RpcOutcome surface_status(RpcContext &context, const RpcRequest &request) {
  return outcome_of(context.authority.surface_status(request.input, request.caller));
}

} // namespace

void add_core_rpcs(RpcHandlers &handlers) {
  handlers["Auth.Health"] = health;
  handlers["Auth.Requests.Validate"] = validate_request;
  handlers["Trellis.Catalog"] = catalog;
  handlers["Trellis.Contract.Get"] = get_contract;
  handlers["Trellis.Bindings.Get"] = get_bindings;
  handlers["Trellis.Surface.Status"] = surface_status;
}

} // namespace trellis::auth
