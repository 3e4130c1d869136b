// Concrete subjects from templates: "events.v1.Order.Shipped.{/orderId}" and a payload (01 §8.4, 06 §1.1).
//
// What a template may hold is checked with the manifest (contracts/event_template.h), and permissions use
// wildcard_subject (contracts/manifest.h). Here nothing is refused but a missing value: at run time a token may lack
// its slash, as existing clients have it. An object or array at the pointer counts as missing; existing clients would
// publish on "[object Object]".
#pragma once

#include "contracts/json.h"
#include "contracts/result.h"
#include <string>
#include <string_view>

namespace trellis {

enum class SubjectMode {
  publish, // every value is needed
  filter,  // missing, null and "*" become the wildcard
};

// `payload`: as the caller passed it, without `header`. Error "missing_template_value", where = the first pointer
// without a value.
Result<std::string> expand_subject(std::string_view subject_template, const JsonValue &payload, SubjectMode mode);

// One subject token that stands for `text`, and back. Not a full inverse: "" becomes "_", and "_$x" is read as "$x".
std::string encode_subject_token(std::string_view text);
std::string decode_subject_token(std::string_view token);

} // namespace trellis
