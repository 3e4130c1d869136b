// The own members of the built-in error types (06 §5), checked as a caller checks them (06 §3.3).
#pragma once

#include "contracts/schema.h"
#include <string_view>
#include <vector>

namespace trellis {

// What keeps `envelope` from being a built-in error of this type; schema paths, empty when it is one. Types that 06 §5
// doesn't define have no members to check.
std::vector<SchemaIssue> builtin_error_issues(std::string_view type, const JsonValue &envelope);

} // namespace trellis
