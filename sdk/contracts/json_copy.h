// A copy that owns all its strings. RapidJSON's own copy borrows those that the source borrows, so it may outlive them.
// Internal to sdk/contracts: it includes RapidJSON.
#pragma once

#include "contracts/json.h"
#include <rapidjson/document.h>

namespace trellis {

JsonValue deep_copy(const JsonValue &value, JsonDocument::AllocatorType &allocator);

} // namespace trellis
