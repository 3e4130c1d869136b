// JSON texts that the runtime writes itself: error contexts, annotated errors, payloads with duplicate members.
//
// What is written here is UTF-8 JSON whatever went in: header values that are not UTF-8 come from strangers, and must
// not make the answer to them unreadable.
#pragma once

#include "contracts/json.h"
#include "contracts/json_text.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

bool is_utf8(std::string_view text);
// `text` with every byte that is not part of strict UTF-8 replaced by U+FFFD.
std::string utf8_text(std::string_view text);

// A JSON object, member by member. Names must be new.
class JsonObjectText {
public:
  JsonObjectText &text(std::string_view name, std::string_view value);
  JsonObjectText &texts(std::string_view name, const std::vector<std::string> &values);
  JsonObjectText &number(std::string_view name, std::int64_t value);
  JsonObjectText &flag(std::string_view name, bool value);
  JsonObjectText &json(std::string_view name, std::string_view value); // `value` is JSON text
  std::string str() const { return out_ + "}"; }

private:
  void name(std::string_view name);
  std::string out_ = "{";
};

// `text`, or `parsed` written again when `text` holds duplicate members: whoever reads it with another parser must see
// the members that were checked, not those that lost. `parsed` is parse_json's result for `text`.
std::string unambiguous_json(std::string_view text, const JsonValue &parsed);

} // namespace trellis
