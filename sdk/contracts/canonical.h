// Canonical JSON (01 §6): the text that contract digests and several signatures cover.
//
// Ours, because the protocol defines it: numbers in ECMAScript form, members in UTF-16 code unit order, lone surrogates
// written as lower-case escapes. Everything that has to be hashed or compared as text goes through here.
#pragma once

#include "contracts/json.h"
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

enum class NegativeZero {
  error, // contracts: 01 §6 rule 2
  zero,  // signature payloads of the auth chapters write it as 0
};

// Error "non_canonical_number" with the JSON pointer of the number (negative zero, not finite).
Result<std::string> canonical_json(const JsonValue &value, NegativeZero negative_zero = NegativeZero::error);

// A finite number as ECMAScript prints it: shortest round trip, 1e21 as "1e+21".
std::string ecmascript_number(double value);

// Whether `a` sorts before `b` by UTF-16 code units. Both in the generalized UTF-8 of contracts/json.h.
bool utf16_less(std::string_view a, std::string_view b);

struct Utf16Less {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return utf16_less(a, b); }
};

// `text` as a JSON string, with the quotes.
std::string canonical_string(std::string_view text);
// Canonical texts of the items, in their order.
std::string canonical_array(const std::vector<std::string> &items);

// A JSON object put together from the canonical texts of its values; added in any order, no name twice.
class CanonicalObject {
public:
  void add(std::string_view name, std::string canonical_value) {
    members_.emplace_back(name, std::move(canonical_value));
  }
  void add_text(std::string_view name, std::string_view value) { add(name, canonical_string(value)); }
  void add_number(std::string_view name, double value) { add(name, ecmascript_number(value)); }
  void add_flag(std::string_view name, bool value) { add(name, value ? "true" : "false"); }
  std::string text() const;

private:
  std::vector<std::pair<std::string, std::string>> members_;
};

} // namespace trellis
