// The error envelope of every failed request (06 §5).
#pragma once

#include "contracts/json.h"
#include "contracts/schema.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// An error as it travels. `context` and `fields` are JSON object texts; `fields` holds the type's own members
// (reason, issues, code, hint, a contract error's fields) and never id, type, message, context or traceId.
struct ErrorEnvelope {
  std::string id; // "" = a fresh ULID when written
  std::string type;
  std::string message;
  std::string context = "{}";
  std::string trace_id; // "" = absent
  std::string fields = "{}";

  std::string to_json() const;
  // The string member `name` of `fields`, "" when absent.
  std::string field(std::string_view name) const;
  std::string reason() const { return field("reason"); }
  std::string code() const { return field("code"); }
};

// Needs string id, type, message; object context if any; string traceId if any. Error "invalid_envelope".
Result<ErrorEnvelope> parse_envelope(std::string_view payload);

ErrorEnvelope unexpected_error(std::string_view cause);
ErrorEnvelope auth_error(std::string_view reason, std::string context = "{}");
ErrorEnvelope validation_error(const std::vector<SchemaIssue> &issues);
ErrorEnvelope transport_error_envelope(std::string_view code, std::string_view message, std::string_view hint,
                                       std::string context = "{}");

// Whether 06 §5 defines this type.
bool is_builtin_error(std::string_view type);
bool is_auth_reason(std::string_view reason); // 06 §5's list

} // namespace trellis
