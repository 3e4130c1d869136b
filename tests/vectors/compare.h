// Comparing a result with a case's `expected` (README §1.2): exact unless the kind's Comparison says otherwise.
//
// The answer is the first difference in the order of `expected`, as a JSON pointer and a text, because that is what the
// person who mends the code needs; a bool or a full diff would be less.
#pragma once

#include "contracts/json.h"
#include "placeholders.h"
#include "runner.h"
#include <optional>
#include <string>

namespace trellis::vectors {

struct Difference {
  std::string pointer; // into the case: begins with /expected
  std::string what;
};

// nullopt when they are equal. Honours `alternatives` in `expected`.
std::optional<Difference> first_difference(const JsonValue &expected, const JsonValue &actual, const Comparison &rules,
                                           const Placeholders &placeholders = Placeholders());

// Compact JSON for a message, cut where it is long.
std::string shown(const JsonValue &value);

} // namespace trellis::vectors
