// JSON values compared by value: numbers as doubles, the order of members irrelevant.
//
// Both inputs may be hostile and large, so nothing here is quadratic in them: members of large objects are looked up
// in sorted order, and large arrays are checked for duplicates through a keyed hash whose collisions can't be made
// without the key.
#pragma once

#include "contracts/json.h"
#include <array>

namespace trellis::schema {

using HashKey = std::array<unsigned char, 16>;
HashKey random_hash_key();

bool equal_values(const JsonValue &a, const JsonValue &b);
bool has_equal_items(const JsonValue &array, const HashKey &key);

} // namespace trellis::schema
