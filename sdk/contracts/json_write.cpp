#include "contracts/json_write.h"

#include <cstddef>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Members of a valid JSON text: each has one colon outside of strings.
std::size_t members_in_text(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':') ++count;
    if (text[i] != '"') continue;
    for (++i; i < text.size() && text[i] != '"'; ++i)
      if (text[i] == '\\') ++i;
  }
  return count;
}

std::size_t members_in_value(const JsonValue &value) {
  std::size_t count = 0;
  if (value.IsObject()) {
    count = value.MemberCount();
    for (const auto &member : value.GetObject())
      count += members_in_value(member.value);
  } else if (value.IsArray()) {
    for (const auto &item : value.GetArray())
      count += members_in_value(item);
  }
  return count;
}

} // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto length = utf8_sequence(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string utf8_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto length = utf8_sequence(text, i);
    out += length == 0 ? kReplacement : text.substr(i, length);
    i += length == 0 ? 1 : length;
  }
  return out;
}

void JsonObjectText::name(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  append_json_string(out_, name);
  out_ += ':';
}

JsonObjectText &JsonObjectText::text(std::string_view name, std::string_view value) {
  this->name(name);
  append_json_string(out_, value);
  return *this;
}

JsonObjectText &JsonObjectText::texts(std::string_view name, const std::vector<std::string> &values) {
  this->name(name);
  out_ += '[';
  for (const auto &value : values) {
    if (&value != &values.front()) out_ += ',';
    append_json_string(out_, value);
  }
  out_ += ']';
  return *this;
}

JsonObjectText &JsonObjectText::number(std::string_view name, std::int64_t value) {
  this->name(name);
  out_ += std::to_string(value);
  return *this;
}

JsonObjectText &JsonObjectText::flag(std::string_view name, bool value) {
  return json(name, value ? "true" : "false");
}

JsonObjectText &JsonObjectText::json(std::string_view name, std::string_view value) {
  this->name(name);
  out_ += value;
  return *this;
}

std::string unambiguous_json(std::string_view text, const JsonValue &parsed) {
  return members_in_text(text) == members_in_value(parsed) ? std::string(text) : to_json(parsed);
}

} // namespace trellis
