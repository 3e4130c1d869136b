// The attributes of the counter `trellis.errors` (06 §9.1): bounded in number, whatever errors and names come along.
#pragma once

#include "contracts/json.h"
#include <map>
#include <string>
#include <string_view>

namespace trellis {

// Where the error was seen. Empty = unknown.
struct ErrorSite {
  std::string error_type = {}; // overrides the error's own
  std::string surface = {}, direction = {}, operation = {}, phase = {}, messaging_system = {};
};

// `error`: an error as JSON (`name` or `type`, `reason`, `remoteError`); any other value counts as unknown.
std::map<std::string, std::string> error_metric(const JsonValue &error, const ErrorSite &site);

// The value as it may be used, or "" when it may not: too long, of other characters, or with an id in it.
std::string bounded_attribute(std::string_view value);

} // namespace trellis
