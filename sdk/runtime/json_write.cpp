#include "runtime/json_write.h"

#include "contracts/canonical.h"
#include <cmath>
#include <cstddef>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_integer(std::string &out, std::int64_t value) {
  out += std::to_string(value);
}

void append_double(std::string &out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  out += ecmascript_number(value);
}

void append_value(std::string &out, const JsonValue &value);

void append_object(std::string &out, const JsonValue &value) {
  out += '{';
  for (const auto &member : value.GetObject()) {
    if (out.back() != '{') out += ',';
    append_json_string(out, text_of(member.name));
    out += ':';
    append_value(out, member.value);
  }
  out += '}';
}

void append_array(std::string &out, const JsonValue &value) {
  out += '[';
  bool first = true;
  for (const auto &item : value.GetArray()) {
    if (!first) out += ',';
    first = false;
    append_value(out, item);
  }
  out += ']';
}

void append_value(std::string &out, const JsonValue &value) {
  if (value.IsObject())
    append_object(out, value);
  else if (value.IsArray())
    append_array(out, value);
  else if (value.IsString())
    append_json_string(out, text_of(value));
  else if (value.IsInt64())
    append_integer(out, value.GetInt64());
  else if (value.IsNumber())
    append_double(out, value.GetDouble());
  else if (value.IsBool())
    out += value.GetBool() ? "true" : "false";
  else
    out += "null";
}

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

std::string json_text(const JsonValue &value) {
  std::string out;
  append_value(out, value);
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
  append_integer(out_, value);
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
  return members_in_text(text) == members_in_value(parsed) ? std::string(text) : json_text(parsed);
}

} // namespace trellis
