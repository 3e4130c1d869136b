#include "wire/error_envelope.h"

#include "contracts/json_text.h"
#include "wire/ulid.h"
#include <algorithm>
#include <array>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 5> kOwnMembers = {"id", "type", "message", "context", "traceId"};

constexpr std::array<std::string_view, 11> kBuiltinErrors = {"UnexpectedError",
                                                             "AuthError",
                                                             "ValidationError",
                                                             "TransportError",
                                                             "KVError",
                                                             "StoreError",
                                                             "TransferError",
                                                             "OperationNotFoundError",
                                                             "OperationAlreadyTerminalError",
                                                             "OperationMismatchError",
                                                             "RemoteError"};

constexpr std::array<std::string_view, 34> kAuthReasons = {"invalid_request",
                                                           "missing_session_key",
                                                           "missing_proof",
                                                           "session_not_found",
                                                           "session_expired",
                                                           "invalid_signature",
                                                           "user_not_found",
                                                           "user_already_exists",
                                                           "username_taken",
                                                           "identity_already_exists",
                                                           "identity_not_found",
                                                           "user_inactive",
                                                           "unknown_device",
                                                           "device_deployment_not_found",
                                                           "device_deployment_disabled",
                                                           "device_activation_revoked",
                                                           "unknown_service",
                                                           "service_disabled",
                                                           "iat_out_of_range",
                                                           "invalid_binding_token",
                                                           "session_corrupted",
                                                           "session_already_bound",
                                                           "authtoken_already_used",
                                                           "oauth_session_key_mismatch",
                                                           "reply_subject_mismatch",
                                                           "insufficient_permissions",
                                                           "forbidden",
                                                           "last_admin_required",
                                                           "missing_flow_id",
                                                           "device_activation_flow_not_found",
                                                           "device_activation_flow_expired",
                                                           "device_activation_rejected",
                                                           "device_identity_key_mismatch",
                                                           "invalid_device_qr_mac"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N> &list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Appends every member of `object` that is not one of the envelope's own.
void append_fields(std::string &out, const JsonValue &object) {
  for (const auto &member : object.GetObject()) {
    const auto name = text_of(member.name);
    if (!contains(kOwnMembers, name)) append_json_raw_member(out, name, to_json(member.value));
  }
}

// A handler may have left something else than an object; the envelope stays valid whatever it did.
bool is_object_text(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed && parsed->IsObject();
}

tl::unexpected<Error> invalid(std::string where, std::string expected) {
  return fail("invalid_envelope", std::move(where), "not an error envelope", std::move(expected));
}

std::string validation_message(const std::vector<SchemaIssue> &issues) {
  if (issues.empty()) return "Data validation failed.";
  std::string out;
  for (const auto &issue : issues) {
    if (!out.empty()) out += '\n';
    out.append("Validation failed. ").append(issue.path).append(": ").append(issue.message).append(".");
  }
  return out;
}

std::string issues_json(const std::vector<SchemaIssue> &issues) {
  std::string out = "[";
  for (const auto &issue : issues) {
    out += out.size() > 1 ? ",{" : "{";
    append_json_member(out, "path", issue.path);
    append_json_member(out, "message", issue.message);
    out += '}';
  }
  return out + "]";
}

ErrorEnvelope make_envelope(std::string_view type, std::string message, std::string context, std::string fields) {
  ErrorEnvelope envelope;
  envelope.type = type;
  envelope.message = std::move(message);
  envelope.context = std::move(context);
  envelope.fields = std::move(fields);
  return envelope;
}

} // namespace

std::string ErrorEnvelope::to_json() const {
  std::string out = "{";
  append_json_member(out, "id", id.empty() ? new_ulid() : id);
  append_json_member(out, "type", type);
  append_json_member(out, "message", message);
  append_json_raw_member(out, "context", is_object_text(context) ? context : "{}");
  if (!trace_id.empty()) append_json_member(out, "traceId", trace_id);
  const auto extra = parse_json(fields);
  if (extra && extra->IsObject()) append_fields(out, *extra);
  return out + "}";
}

std::string ErrorEnvelope::field(std::string_view name) const {
  const auto parsed = parse_json(fields);
  return parsed ? std::string(string_member(*parsed, name)) : std::string();
}

Result<ErrorEnvelope> parse_envelope(std::string_view payload) {
  const auto json = parse_json(payload);
  if (!json || !json->IsObject()) return invalid({}, "a JSON object");
  for (const char *name : {"id", "type", "message"}) {
    const auto *member = find_member(*json, name);
    if (!member || !member->IsString()) return invalid(json_pointer(name), "a string");
  }
  const auto *context = find_member(*json, "context");
  if (context && !context->IsObject()) return invalid("/context", "an object, or no such member");
  const auto *trace_id = find_member(*json, "traceId");
  if (trace_id && !trace_id->IsString()) return invalid("/traceId", "a string, or no such member");

  ErrorEnvelope out;
  out.id = string_member(*json, "id");
  out.type = string_member(*json, "type");
  out.message = string_member(*json, "message");
  if (context) out.context = trellis::to_json(*context);
  if (trace_id) out.trace_id = text_of(*trace_id);
  out.fields = "{";
  append_fields(out.fields, *json);
  out.fields += '}';
  return out;
}

ErrorEnvelope unexpected_error(std::string_view cause) {
  std::string context = "{";
  if (!cause.empty()) append_json_member(context, "causeMessage", cause);
  return make_envelope("UnexpectedError", "An unexpected error has occurred", context + "}", "{}");
}

ErrorEnvelope auth_error(std::string_view reason, std::string context) {
  std::string fields = "{";
  append_json_member(fields, "reason", reason);
  return make_envelope("AuthError", std::string("Auth failed: ").append(reason), std::move(context), fields + "}");
}

ErrorEnvelope validation_error(const std::vector<SchemaIssue> &issues) {
  std::string fields = "{";
  append_json_raw_member(fields, "issues", issues_json(issues));
  return make_envelope("ValidationError", validation_message(issues), "{}", fields + "}");
}

ErrorEnvelope transport_error_envelope(std::string_view code, std::string_view message, std::string_view hint,
                                       std::string context) {
  std::string fields = "{";
  append_json_member(fields, "code", code);
  append_json_member(fields, "hint", hint);
  return make_envelope("TransportError", std::string(message), std::move(context), fields + "}");
}

bool is_builtin_error(std::string_view type) {
  return contains(kBuiltinErrors, type);
}

bool is_auth_reason(std::string_view reason) {
  return contains(kAuthReasons, reason);
}

} // namespace trellis
