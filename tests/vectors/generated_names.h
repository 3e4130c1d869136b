// Generated names (README §3.2): compared up to one consistent renaming of their tokens.
//
// Both sides are walked together, and where two texts differ in tokens only, their tokens are taken for the same. So
// the correspondence comes from where a name stands (kind, alias, member), not from the order in which names were made,
// and a name that stands in two places must be the same in both. Prefixes, lengths and cuts stay as they are: a text
// that differs in one of them isn't renamed, and then differs.
#pragma once

#include "contracts/json.h"

namespace trellis::vectors {

// `result` with the tokens of `expected`. Throws when one token would have to become two, or two become one.
JsonDocument with_expected_names(const JsonValue &result, const JsonValue &expected);

} // namespace trellis::vectors
