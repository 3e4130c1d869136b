// The pure half of rpc_client.h: one request's bytes, and what one reply or failure means.
#include "runtime/rpc_client.h"

#include "contracts/encoding.h"
#include "contracts/event_subject.h"
#include "contracts/json_write.h"
#include "runtime/builtin_errors.h"
#include "runtime/metrics_errors.h"
#include "wire/names.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>

namespace trellis {
namespace {

tl::unexpected<CallError> local(ErrorEnvelope envelope, const char *phase) {
  return tl::make_unexpected(CallError{std::move(envelope), true, {}, phase});
}

// A subject token that the input has no value for (06 §1.1): nothing is sent.
tl::unexpected<CallError> missing_subject_value(const Error &error) {
  auto envelope = validation_error({{error.where, "has no value, and the subject needs one"}});
  envelope.context = JsonObjectText().text("key", error.where).str();
  return local(std::move(envelope), error_phase::kRequestEncoding);
}

tl::unexpected<CallError> invalid_response(const RpcMethod &method, const Error &cause) {
  return local(transport_error_envelope("trellis.request.invalid_response",
                                        "The reply to " + method.name + " can't be read.",
                                        "The service may speak another protocol version.",
                                        JsonObjectText()
                                            .text("subject", method.subject)
                                            .text("method", method.name)
                                            .text("causeMessage", cause.text())
                                            .str()),
               error_phase::kResponseDecoding);
}

CallResult decode_output(const RpcMethod &method, std::string_view payload) {
  const auto output = parse_json(payload, {.max_bytes = payload.size()});
  if (!output) return invalid_response(method, output.error());
  if (!method.output.valid(*output))
    return local(validation_error(method.output.check(*output)), error_phase::kResponseDecoding);
  return unambiguous_json(payload, *output);
}

ErrorEnvelope remote_error(const ErrorEnvelope &inner, const JsonValue &payload) {
  ErrorEnvelope outer;
  outer.type = "RemoteError";
  outer.message = inner.message;
  outer.fields = JsonObjectText().json("remoteError", to_json(payload)).str();
  return outer;
}

CallError decode_error(const RpcMethod &method, std::string_view payload) {
  const auto value = parse_json(payload, {.max_bytes = payload.size()});
  if (!value) return invalid_response(method, value.error()).value();
  auto envelope = parse_envelope(payload);
  if (!envelope) return invalid_response(method, envelope.error()).value();

  const auto declared = method.errors.find(envelope->type);
  if (declared == method.errors.end()) return {remote_error(*envelope, *value), false, {}, error_phase::kRemoteError};
  const auto &schema = declared->second;
  const auto issues = schema ? schema->check(*value) : builtin_error_issues(envelope->type, *value);
  if (!issues.empty()) return {validation_error(issues), true, {}, error_phase::kResponseDecoding};
  return {std::move(*envelope), false, {}, error_phase::kRemoteError};
}

std::string_view failure_code(const Error &error) {
  if (error.code == transport_error::kNoResponders) return "trellis.request.unavailable";
  if (error.code == transport_error::kDenied) return "trellis.request.denied";
  return "trellis.request.failed";
}

std::string_view failure_hint(const Error &error) {
  if (error.code == transport_error::kNoResponders) return "No service listens on this subject: is it running?";
  if (error.code == transport_error::kDenied)
    return "The contract of the caller has to use this rpc, and its plan be accepted.";
  if (error.code == transport_error::kTimeout)
    return "The service didn't answer in time; it may still have done the work.";
  if (error.code == transport_error::kTooLarge) return "The request is larger than the NATS server's max_payload.";
  return "The connection to NATS may be down; try again.";
}

} // namespace

tl::expected<SignedRequest, CallError> sign_request(const RpcMethod &method, std::string_view input,
                                                    const SessionKey &key, std::int64_t iat,
                                                    std::string_view request_id) {
  const auto value = parse_json(input, {.max_bytes = input.size()});
  const auto refused = [](const std::vector<SchemaIssue> &issues) {
    return local(validation_error(issues), error_phase::kRequestEncoding);
  };
  if (!value) return refused({{"#", value.error().text()}});
  if (!method.input.valid(*value)) return refused(method.input.check(*value));
  auto subject = expand_subject(method.subject, *value, SubjectMode::publish);
  if (!subject) return missing_subject_value(subject.error());

  SignedRequest request;
  request.subject = std::move(*subject);
  request.payload = unambiguous_json(input, *value);
  const auto hash = sha256(as_bytes(request.payload));
  request.headers = {{wire::kSessionKey, key.text()},
                     {wire::kProof, make_request_proof(key, request.subject, hash, iat, request_id)},
                     {wire::kIat, std::to_string(iat)},
                     {wire::kRequestId, std::string(request_id)}};
  return request;
}

CallResult decode_reply(const RpcMethod &method, bool is_error, std::string_view payload) {
  if (!is_error) return decode_output(method, payload);
  return tl::make_unexpected(decode_error(method, payload));
}

CallError transport_failure(const RpcMethod &method, const Error &error) {
  const bool no_responders = error.code == transport_error::kNoResponders;
  const auto context = JsonObjectText()
                           .text("subject", method.subject)
                           .text("method", method.name)
                           .texts("requiredCapabilities", method.capabilities)
                           .flag("noResponders", no_responders)
                           .text("lowLevelMessage", error.text())
                           .text("causeName", error.code)
                           .text("causeMessage", error.message)
                           .str();
  return {transport_error_envelope(failure_code(error), "The request " + method.name + " failed: " + error.message,
                                   failure_hint(error), context),
          true, error.code, error_phase::kRequestSend};
}

} // namespace trellis
