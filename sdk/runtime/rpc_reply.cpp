// Steps 9 to 11 of 06 §4.2: from a handler's outcome to the reply's bytes.
#include "runtime/rpc_service.h"

#include "contracts/json_write.h"
#include "transport/transport.h"
#include "wire/names.h"
#include <array>
#include <optional>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::string_view kUnexpected = "UnexpectedError";

rapidjson::GenericStringRef<char> ref(std::string_view text) {
  return {text.data() ? text.data() : "", static_cast<rapidjson::SizeType>(text.size())};
}

// "" is an empty object; nullopt for everything that is none.
std::optional<JsonDocument> read_object(std::string_view text) {
  auto value = parse_json(text.empty() ? "{}" : text, {.max_bytes = text.size() + 2});
  if (!value || !value->IsObject()) return std::nullopt;
  return std::move(*value);
}

void set_text(JsonDocument &object, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  auto &allocator = object.GetAllocator();
  object.EraseMember(JsonValue(ref(name))); // RemoveMember would change the order
  object.AddMember(JsonValue(ref(name), allocator), JsonValue(ref(value), allocator), allocator);
}

// 06 §4.5: members of the same name are overwritten, and the subject doesn't leave the service.
std::string annotated(JsonDocument context, const ServiceIdentity &service, const SurfaceName &surface,
                      const AdmittedRequest &request) {
  context.EraseMember("subject");
  set_text(context, surface.member, surface.name);
  set_text(context, "requestId", request.request_id);
  set_text(context, "service", service.name);
  set_text(context, "contractId", service.contract_id);
  set_text(context, "contractDigest", service.contract_digest);
  return to_json(context);
}

JsonDocument empty_object() {
  JsonDocument object;
  object.SetObject();
  return object;
}

// The error's own members, without those that belong to the envelope (06 §5).
std::string own_members(JsonDocument fields) {
  for (const char *reserved : {"id", "type", "message", "context", "traceId", "cause"})
    fields.EraseMember(reserved);
  return to_json(fields);
}

// What keeps an error that a handler returned from being sent as it is, "" when nothing does.
std::string_view defect(const HandlerError &error, const std::optional<JsonDocument> &context,
                        const std::optional<JsonDocument> &fields) {
  if (!context) return "the error's context is no JSON object";
  if (!fields) return "the error's fields are no JSON object";
  if (error.type == "AuthError" && !is_auth_reason(string_member(*fields, "reason")))
    return "the AuthError's reason is none of the protocol";
  return {};
}

std::string remote_cause(const HandlerError &error, const JsonValue &fields) {
  if (!error.message.empty()) return std::string(error.message);
  const auto *remote = find_member(fields, "remoteError");
  if (!remote) return "a called service answered with an error";
  return std::string(string_member(*remote, "type", "an error")) + ": " +
         std::string(string_member(*remote, "message"));
}

std::string default_message(const HandlerError &error, const JsonValue &fields) {
  if (error.type == "AuthError") return "Auth failed: " + std::string(string_member(fields, "reason"));
  if (error.type == "ValidationError") return "Data validation failed.";
  return std::string(error.type);
}

// The cause of the UnexpectedError that the caller gets instead of this error, nullopt when it gets the error itself.
std::optional<std::string> hidden_cause(const HandlerError &error, std::string_view defect, const JsonValue &fields) {
  if (!defect.empty()) return std::string(defect);
  if (error.type.empty() || error.type == kUnexpected) return std::string(error.message);
  if (error.type == "RemoteError") return remote_cause(error, fields);
  return std::nullopt;
}

std::string_view hint_of(std::string_view code) {
  if (code == kOverloadedCode) return "The service has as many requests as it can hold; try again later.";
  if (code == kDeadlineCode) return "The service may still be working on it; check before you try again.";
  if (code == kStoppingCode) return "The service is restarting; try again.";
  if (code == kSendFailedCode) return "The answer may be larger than the NATS server's max_payload; ask for less.";
  return "Try again; if it stays, the operator's log of the service says more.";
}

ReplyCause cause_of(std::string_view runtime_code) {
  if (runtime_code == kOverloadedCode) return ReplyCause::overloaded;
  if (runtime_code == kDeadlineCode) return ReplyCause::deadline;
  if (runtime_code == kStoppingCode) return ReplyCause::stopping;
  return ReplyCause::output_encoding;
}

// Callers of these types insist on members that a handler has little reason to think of (06 §5).
void complete_builtin(std::string_view type, JsonDocument &fields) {
  auto &allocator = fields.GetAllocator();
  if (type == "TransportError" && !fields.HasMember("hint"))
    set_text(fields, "hint", hint_of(string_member(fields, "code")));
  if (type == "ValidationError" && !fields.HasMember("issues"))
    fields.AddMember("issues", JsonValue(rapidjson::kArrayType), allocator);
}

ErrorEnvelope typed_error(const HandlerError &error, JsonDocument fields) {
  complete_builtin(error.type, fields);
  ErrorEnvelope envelope;
  envelope.type = utf8_text(error.type);
  envelope.message = utf8_text(error.message.empty() ? default_message(error, fields) : error.message);
  envelope.fields = own_members(std::move(fields));
  return envelope;
}

RpcReply send_failed_reply(const RpcMethod &method, const Message &message, std::size_t bytes, const Error &cause,
                           std::string_view trace_id) {
  const auto context = JsonObjectText()
                           .text("method", method.name)
                           .text("subject", message.subject())
                           .number("responseBytes", static_cast<std::int64_t>(bytes))
                           .text("causeMessage", cause.text())
                           .str();
  return envelope_reply(
      transport_error_envelope(kSendFailedCode, "The response could not be sent.", hint_of(kSendFailedCode), context),
      trace_id);
}

Result<void> respond(const Message &message, const RpcReply &reply) {
  if (!reply.is_error) return message.respond(reply.payload, nullptr);
  const Headers headers = {{wire::kStatus, wire::kStatusError}};
  return message.respond(reply.payload, &headers);
}

} // namespace

RpcReply envelope_reply(ErrorEnvelope error, std::string_view trace_id, ReplyCause cause) {
  if (error.trace_id.empty()) error.trace_id = trace_id;
  return {error.to_json(), true, cause};
}

RpcReply success_reply(const RpcMethod &method, std::string_view output, std::string_view trace_id) {
  const auto value = parse_json(output, {.max_bytes = output.size()});
  const auto broken = [&](const std::vector<SchemaIssue> &issues) {
    return envelope_reply(validation_error(issues), trace_id, ReplyCause::output_encoding);
  };
  if (!value) return broken({{"#", "the output is no JSON: " + value.error().text()}});
  if (!method.output.valid(*value)) return broken(method.output.check(*value));
  return {std::string(output), false};
}

HandlerErrorReply error_reply(const ServiceIdentity &service, const RpcMethod &method, const AdmittedRequest &request,
                              const HandlerError &error) {
  return error_reply(service, SurfaceName{"method", method.name}, request, error);
}

HandlerErrorReply error_reply(const ServiceIdentity &service, const SurfaceName &surface,
                              const AdmittedRequest &request, const HandlerError &error) {
  auto given_context = read_object(error.context);
  auto given_fields = read_object(error.fields);
  const auto wrong = defect(error, given_context, given_fields);
  JsonDocument context = wrong.empty() ? std::move(*given_context) : empty_object();
  JsonDocument fields = wrong.empty() ? std::move(*given_fields) : empty_object();

  ErrorEnvelope envelope;
  auto why = ReplyCause::handler_result;
  if (const auto cause = hidden_cause(error, wrong, fields)) {
    why = ReplyCause::handler_throw;
    envelope = unexpected_error(*cause);
    set_text(context, "causeMessage", *cause);
  } else {
    envelope = typed_error(error, std::move(fields));
  }
  envelope.context = annotated(std::move(context), service, surface, request);
  return {envelope_reply(std::move(envelope), request.trace_id, why), wrong.empty()};
}

RpcReply runtime_error_reply(const RpcMethod &method, std::string_view code, std::string_view message,
                             std::string_view trace_id) {
  const auto context = JsonObjectText().text("method", method.name).text("subject", method.subject).str();
  return envelope_reply(transport_error_envelope(code, message, hint_of(code), context), trace_id, cause_of(code));
}

Sent send_reply(const RpcMethod &method, const Message &message, const RpcReply &reply, std::string_view trace_id) {
  if (message.reply().empty()) return Sent::whole; // the sender wants none
  const auto sent = respond(message, reply);
  if (sent) return Sent::whole;
  const auto instead = send_failed_reply(method, message, reply.payload.size(), sent.error(), trace_id);
  return respond(message, instead) ? Sent::as_error : Sent::nothing;
}

} // namespace trellis
