// Which payload pointers lead to a text or number in a schema (01 §8.2 step 4).
//
// All pointers of a schema are resolved in one walk. Walking once per pointer is what the chapter describes and costs
// pointers x branches: a manifest of 4 MiB can hold 100,000 of each. In one walk every part of the schema is visited
// at most once, with just the pointers that lead there.
#pragma once

#include "contracts/json.h"
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trellis {

// Pointer -> whether every schema that was collected for it is a text or a number. A pointer that is not found has no
// entry. `pointers` as is_payload_pointer has them, in any order, repeated or not.
using PointerVerdicts = std::unordered_map<std::string_view, bool>;
PointerVerdicts resolve_pointers(const JsonValue &schema, std::vector<std::string_view> pointers);

} // namespace trellis
