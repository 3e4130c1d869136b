// JSON Schema 2019-09 without $ref, as 01 §4 rules it: compiled once into an immutable program, shared by all threads.
//
// A payload check sits on every request's path, so validating walks RapidJSON values and allocates nothing as long as
// the value is valid. Only a failing value pays for its list of issues. Patterns run in PCRE2 under match limits: a
// pattern that exceeds them counts as a mismatch.
#pragma once

#include "contracts/json.h"
#include <memory>
#include <vector>

namespace trellis {

// One finding. `path` is a *schema* path (06 §1.2): "#", "#/properties/cents", "#/properties/l/items/anyOf/0".
struct SchemaIssue {
  std::string path;
  std::string message; // never holds a part of the value
  // What failed, inside the checked value; lives as long as that.
  const JsonValue *value = nullptr;
};

inline constexpr std::size_t kMaxSchemaIssues = 8; // 06 §1

class Schema {
public:
  // Malformed keywords are ignored (01 §4.2); the errors are "schema_pattern" (a pattern that PCRE2 refuses) and
  // "schema_kind" (neither object nor boolean), with a JSON pointer in `where`.
  static Result<Schema> compile(const JsonValue &schema);

  bool valid(const JsonValue &value) const;
  // Empty when the value is valid, else the first `max` issues in the order of 06 §1.2.
  std::vector<SchemaIssue> check(const JsonValue &value, std::size_t max = kMaxSchemaIssues) const;

private:
  struct Program;
  std::shared_ptr<const Program> program_;
};

} // namespace trellis
