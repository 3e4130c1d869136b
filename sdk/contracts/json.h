// JSON as the protocol reads it (01 §2.4), on RapidJSON.
//
// Three rules make this more than a call to RapidJSON: a number beyond a double's range becomes infinity instead of a
// parse error (01 §2.1 wants to name it), an unpaired surrogate escape is kept (as its three-byte generalized UTF-8
// form, which raw input may not contain), and members are put into ECMAScript order with the last duplicate winning.
// Parsing is iterative and the depth is limited, so hostile nesting can't reach the stack; everything that walks a
// parsed document may recurse.
#pragma once

#include "contracts/result.h"
#include <cstddef>
#include <rapidjson/fwd.h>
#include <string>
#include <string_view>

namespace trellis {

using JsonValue = rapidjson::Value;
using JsonDocument = rapidjson::Document;

struct JsonLimits {
  std::size_t max_bytes = std::size_t{4} << 20; // 4 MiB
  std::size_t max_depth = 512;                  // nested arrays and objects
};

// Error codes: "json_too_large", "json_too_deep", "json_invalid" (where = "byte N").
Result<JsonDocument> parse_json(std::string_view text, const JsonLimits &limits = {});

// Compact text in member order as held, for messages and replies (not canonical: contracts/canonical.h). Always valid
// UTF-8 JSON: unpaired surrogates are escaped again, numbers that are not finite become null (06 §1.2).
std::string to_json(const JsonValue &value);

// The member, or nullptr when `object` is not an object or has none of that name.
const JsonValue *find_member(const JsonValue &object, std::string_view name);
// The text of a string value; "" for every other kind.
std::string_view text_of(const JsonValue &value);
// The string member `name`, or `otherwise`.
std::string_view string_member(const JsonValue &object, std::string_view name, std::string_view otherwise = {});

// JSON pointer of a path: json_pointer("uses", "required", alias). Escapes ~ and /.
std::string json_pointer_token(std::string_view token);
template <class... Tokens>
std::string json_pointer(const Tokens &...tokens) {
  std::string out;
  ((out += "/" + json_pointer_token(tokens)), ...);
  return out;
}

} // namespace trellis
