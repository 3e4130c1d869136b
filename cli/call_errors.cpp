#include "call_errors.h"
#include "contracts/json.h"
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// A remote error that the contract doesn't declare travels inside (06 §3.3); the person at the terminal wants that one.
ErrorEnvelope shown_envelope(const ErrorEnvelope &envelope) {
  if (envelope.type != "RemoteError") return envelope;
  const auto fields = parse_json(envelope.fields);
  const JsonValue *inner = fields ? find_member(*fields, "remoteError") : nullptr;
  if (!inner) return envelope;
  if (auto parsed = parse_envelope(to_json(*inner))) return std::move(*parsed);
  return envelope;
}

} // namespace

std::string error_text(const CallError &error) {
  const ErrorEnvelope envelope = shown_envelope(error.envelope);
  std::string out = envelope.type + ": " + envelope.message;
  const std::string detail = envelope.reason().empty() ? envelope.code() : envelope.reason();
  if (out.find(detail) == std::string::npos) out += " (" + detail + ")";
  const auto fields = parse_json(envelope.fields);
  const JsonValue *issues = fields ? find_member(*fields, "issues") : nullptr;
  if (issues && issues->IsArray())
    for (const JsonValue &issue : issues->GetArray())
      if (out.find(string_member(issue, "message")) == std::string::npos) // the message may be made of them
        out += "\n  " + std::string(string_member(issue, "path")) + ": " + std::string(string_member(issue, "message"));
  if (const std::string hint = envelope.field("hint"); !hint.empty()) out += "\n  " + hint;
  const auto context = parse_json(envelope.context);
  for (const char *name : {"causeMessage", "message"})
    if (const auto cause = context ? string_member(*context, name) : std::string_view(); !cause.empty())
      out.append("\n  ").append(cause);
  return out;
}

Error call_error(const CallError &error, const std::string &rpc) {
  const ErrorEnvelope envelope = shown_envelope(error.envelope);
  std::string code = envelope.reason().empty() ? envelope.code() : envelope.reason();
  if (code.empty()) code = envelope.type;
  return {std::move(code), rpc, error_text(error), {}, {}};
}

} // namespace trellis::cli
