// RequestValidator: Auth.Requests.Validate asked over NATS (06 §4.3).
#include "runtime/validator.h"

#include "contracts/json_write.h"
#include "runtime/rpc_client.h"
#include "wire/names.h"
#include <array>
#include <chrono>
#include <rapidjson/document.h>
#include <thread>

namespace trellis {
namespace {

constexpr std::array kPauses = {std::chrono::milliseconds(25), std::chrono::milliseconds(50)};

// What a service needs of the answer. Wider than the contract's own schema, so that later kinds of callers, and members
// that this version doesn't know, pass.
constexpr std::string_view kAnswerSchema = R"({
  "type": "object", "required": ["allowed", "inboxPrefix", "caller"],
  "properties": {
    "allowed": {"type": "boolean"},
    "inboxPrefix": {"type": "string"},
    "caller": {"type": "object", "properties": {"capabilities": {"type": "array", "items": {"type": "string"}}}}
  }
})";

// Only the errors that Auth.Requests.Validate declares reach the caller as they are.
RpcMethod validate_method() {
  RpcMethod method;
  method.name = wire::kValidateMethod;
  method.subject = wire::kValidateSubject;
  method.input = Schema::compile(JsonValue(true)).value();
  method.output = Schema::compile(parse_json(kAnswerSchema).value()).value();
  method.errors = {{"AuthError", std::nullopt}, {"UnexpectedError", std::nullopt}, {"ValidationError", std::nullopt}};
  return method;
}

std::string question(const ValidationRequest &request) {
  return JsonObjectText()
      .text("sessionKey", request.session_key)
      .text("proof", request.proof)
      .text("subject", request.subject)
      .text("payloadHash", base64url(request.payload_hash))
      .number("iat", request.iat)
      .text("requestId", request.request_id)
      .texts("capabilities", request.capabilities)
      .str();
}

Validation read_answer(std::string_view text) {
  const auto answer = parse_json(text, {.max_bytes = text.size()}).value(); // checked against kAnswerSchema before
  auto session = std::make_shared<CallerSession>();
  const auto &caller = *find_member(answer, "caller");
  session->caller = to_json(caller);
  session->inbox_prefix = string_member(answer, "inboxPrefix");
  if (const auto *capabilities = find_member(caller, "capabilities"))
    for (const auto &capability : capabilities->GetArray())
      session->capabilities.emplace_back(text_of(capability));
  return {find_member(answer, "allowed")->GetBool(), std::move(session)};
}

bool is_session_not_found(const CallError &error) {
  return !error.local && error.envelope.type == "AuthError" && error.envelope.reason() == "session_not_found";
}

ErrorEnvelope forwarded(CallError error) {
  if (error.envelope.type != "RemoteError") return std::move(error.envelope);
  return unexpected_error(error.envelope.message);
}

} // namespace

struct RequestValidator::State {
  State(Transport &transport, const SessionKey &service, std::function<std::int64_t()> now)
      : method(validate_method()), client(transport, service, std::move(now)) {}
  const RpcMethod method;
  RpcClient client;
};

RequestValidator::RequestValidator(Transport &transport, const SessionKey &service, std::function<std::int64_t()> now)
    : state_(std::make_unique<State>(transport, service, std::move(now))) {}
RequestValidator::~RequestValidator() = default;

tl::expected<Validation, ErrorEnvelope> RequestValidator::validate(const ValidationRequest &request) {
  const auto input = question(request);
  CallOptions options;
  options.traceparent = request.traceparent;
  options.tracestate = request.tracestate;
  for (std::size_t attempt = 0;; ++attempt) {
    auto answer = state_->client.call_and_wait(state_->method, input, options);
    if (answer) return read_answer(*answer);
    if (request.ask_once || attempt == kPauses.size() || !is_session_not_found(answer.error()))
      return tl::make_unexpected(forwarded(std::move(answer.error())));
    std::this_thread::sleep_for(kPauses[attempt]); // the pause is the protocol's: a session may be on its way
  }
}

} // namespace trellis
