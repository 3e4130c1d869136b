// Steps 1 to 8 of 06 §4.2: from received bytes to an admitted request.
#include "runtime/rpc_service.h"

#include "contracts/json_write.h"
#include "transport/transport.h"
#include "wire/names.h"
#include "wire/proof.h"
#include <charconv>
#include <cmath>
#include <optional>
#include <rapidjson/document.h>

namespace trellis {
namespace {

template <class T>
using Step = tl::expected<T, ErrorEnvelope>;

constexpr double kLargestSafeInteger = 9007199254740991.0;

tl::unexpected<ErrorEnvelope> auth_failure(std::string_view reason, std::string context = "{}") {
  return tl::make_unexpected(auth_error(reason, std::move(context)));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The header as existing services read it: an ECMAScript number in decimal ("1e3" is 1000), where nothing is 0, that is
// a safe integer.
std::optional<std::int64_t> read_iat(std::string_view header) {
  auto text = trimmed(header);
  if (text.empty()) return 0;
  if (text[0] == '+') {
    text.remove_prefix(1);
    if (text.empty() || text[0] == '-') return std::nullopt;
  }
  double value = 0; // from_chars reads "inf" and "nan" too, which are no safe integers
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (std::trunc(value) != value || std::abs(value) > kLargestSafeInteger) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// Steps 1 and 2. The payload was bounded by the server's max_payload.
tl::expected<std::string, RpcReply> read_input(const Schema &schema, std::string_view payload,
                                               std::string_view trace_id) {
  const auto input = parse_json(payload, {.max_bytes = payload.size()});
  if (!input)
    return tl::make_unexpected(envelope_reply(
        unexpected_error("the request's payload is no JSON: " + input.error().text()), trace_id, ReplyCause::parse));
  if (!schema.valid(*input))
    return tl::make_unexpected(
        envelope_reply(validation_error(schema.check(*input)), trace_id, ReplyCause::input_validation));
  return unambiguous_json(payload, *input);
}

struct Proven {
  std::string_view session_key, proof, request_id;
  std::int64_t iat = 0;
  Sha256 payload_hash{};
};

// Steps 4 to 7.
Step<Proven> check_proof(const Message &message) {
  Proven proven;
  proven.session_key = message.header(wire::kSessionKey);
  if (proven.session_key.empty()) return auth_failure("missing_session_key");
  proven.proof = message.header(wire::kProof);
  if (proven.proof.empty()) return auth_failure("missing_proof");
  const auto iat = read_iat(message.header(wire::kIat));
  proven.request_id = message.header(wire::kRequestId);
  // Proofs cover UTF-8 texts (03 §11.3), and a handler must be able to read the id.
  if (!iat || proven.request_id.empty() || !is_utf8(proven.request_id)) return auth_failure("invalid_signature");
  proven.iat = *iat;
  proven.payload_hash = sha256(as_bytes(message.payload()));
  if (!verify_request_proof(proven.session_key, message.subject(), proven.payload_hash, proven.iat, proven.request_id,
                            proven.proof))
    return auth_failure("invalid_signature", JsonObjectText().text("sessionKey", proven.session_key).str());
  return proven;
}

bool is_inside_inbox(std::string_view reply, std::string_view prefix) {
  return reply.size() > prefix.size() && reply.starts_with(prefix) && reply[prefix.size()] == '.';
}

std::string missing_capabilities(const AdmissionRules &rules, const CallerSession &caller) {
  JsonObjectText context;
  if (!rules.feed.empty()) context.text("feed", rules.feed);
  context.texts("requiredCapabilities", rules.capabilities).texts("userCapabilities", caller.capabilities);
  return context.str();
}

// Step 8.
Step<std::shared_ptr<const CallerSession>> authorise(const AdmittedRequest &admitted, const AdmissionRules &rules,
                                                     const Message &message, const Proven &proven,
                                                     Validator &validator) {
  ValidationRequest request{proven.session_key, proven.proof,      message.subject(),  proven.payload_hash,
                            proven.iat,         proven.request_id, rules.capabilities, true};
  if (rules.feed.empty()) {
    request.traceparent = admitted.traceparent;
    request.tracestate = admitted.tracestate;
  } else {
    request.ask_once = true; // and the question starts a trace of its own (06 §9)
  }
  auto validation = validator.validate(request);
  if (!validation) return tl::make_unexpected(std::move(validation.error()));
  auto &caller = validation->caller;
  if (!validation->allowed) return auth_failure("insufficient_permissions", missing_capabilities(rules, *caller));
  if (!is_inside_inbox(message.reply(), caller->inbox_prefix))
    return auth_failure("reply_subject_mismatch",
                        JsonObjectText().text("expected", caller->inbox_prefix).text("actual", message.reply()).str());
  return std::move(caller);
}

// Who calls an unauthenticated rpc (06 §4.6).
std::shared_ptr<const CallerSession> system_caller() {
  auto session = std::make_shared<CallerSession>();
  session->caller = R"({"type":"service","id":"system","active":true,"name":"System","capabilities":["service"]})";
  session->capabilities = {"service"};
  return session;
}

// An invalid trace context is as good as none (W3C Trace Context §3.2).
void take_trace(AdmittedRequest &request, const Message &message) {
  const auto traceparent = message.header(wire::kTraceparent);
  request.trace_id = wire::trace_id_of(traceparent);
  if (request.trace_id.empty()) return;
  request.traceparent = traceparent;
  if (const auto tracestate = message.header(wire::kTracestate); is_utf8(tracestate)) request.tracestate = tracestate;
}

Step<void> admit_caller(AdmittedRequest &request, const AdmissionRules &rules, const Message &message,
                        Validator &validator) {
  if (rules.unauthenticated) {
    request.caller = system_caller();
    request.session_key = utf8_text(message.header(wire::kSessionKey));
    request.request_id = utf8_text(message.header(wire::kRequestId));
    return {};
  }
  const auto proven = check_proof(message);
  if (!proven) return tl::make_unexpected(proven.error());
  auto caller = authorise(request, rules, message, *proven, validator);
  if (!caller) return tl::make_unexpected(std::move(caller.error()));
  request.caller = std::move(*caller);
  request.session_key = proven->session_key;
  request.request_id = proven->request_id;
  return {};
}

} // namespace

std::variant<AdmittedRequest, RpcReply> admit_request(const AdmissionRules &rules, const Message &message,
                                                      Validator &validator) {
  AdmittedRequest request;
  take_trace(request, message);
  const auto trace_id = rules.feed.empty() ? std::string_view(request.trace_id) : std::string_view();
  auto input = read_input(rules.input, message.payload(), trace_id);
  if (!input) return std::move(input.error());
  request.input = std::move(*input);
  if (auto admitted = admit_caller(request, rules, message, validator); !admitted)
    return envelope_reply(std::move(admitted.error()), trace_id, ReplyCause::auth);
  return request;
}

std::variant<AdmittedRequest, RpcReply> admit(const RpcMethod &method, const Message &message, Validator &validator) {
  return admit_request({method.input, method.capabilities, method.unauthenticated}, message, validator);
}

} // namespace trellis
