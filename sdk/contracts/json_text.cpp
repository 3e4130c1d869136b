#include "contracts/json_text.h"

#include "contracts/canonical.h"
#include "contracts/json.h"
#include <cmath>
#include <cstdint>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

void append_unit(std::string &out, unsigned unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out += kHexDigits[(unit >> shift) & 0xFU];
}

void append_ascii(std::string &out, char c) {
  switch (c) {
  case '"': out += "\\\""; return;
  case '\\': out += "\\\\"; return;
  case '\b': out += "\\b"; return;
  case '\t': out += "\\t"; return;
  case '\n': out += "\\n"; return;
  case '\f': out += "\\f"; return;
  case '\r': out += "\\r"; return;
  default: break;
  }
  if (static_cast<std::uint8_t>(c) < 0x20) return append_unit(out, static_cast<std::uint8_t>(c));
  out += c;
}

bool continues(std::string_view text, std::size_t at, std::uint8_t low = 0x80, std::uint8_t high = 0xBF) {
  return at < text.size() && byte_at(text, at) >= low && byte_at(text, at) <= high;
}

std::size_t three_bytes(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  const std::uint8_t low = lead == 0xE0 ? 0xA0 : 0x80;
  const std::uint8_t high = lead == 0xED ? 0x9F : 0xBF;
  return continues(text, at + 1, low, high) && continues(text, at + 2) ? 3 : 0;
}

std::size_t four_bytes(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  const std::uint8_t low = lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = lead == 0xF4 ? 0x8F : 0xBF;
  return continues(text, at + 1, low, high) && continues(text, at + 2) && continues(text, at + 3) ? 4 : 0;
}

void append_name(std::string &out, std::string_view name) {
  if (out.empty() || out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
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
    out += std::to_string(value.GetInt64());
  else if (value.IsNumber())
    append_double(out, value.GetDouble());
  else if (value.IsBool())
    out += value.GetBool() ? "true" : "false";
  else
    out += "null";
}

} // namespace

std::size_t utf8_sequence(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (lead < 0xE0) return continues(text, at + 1) ? 2 : 0;
  return lead < 0xF0 ? three_bytes(text, at) : four_bytes(text, at);
}

// ED A0..BF xx.
std::size_t surrogate_sequence(std::string_view text, std::size_t at) {
  return byte_at(text, at) == 0xED && continues(text, at + 1, 0xA0) && continues(text, at + 2) ? 3 : 0;
}

void append_json_string(std::string &out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_sequence(text, i);
    if (length == 1) {
      append_ascii(out, text[i++]);
    } else if (length > 1) {
      out += text.substr(i, length);
      i += length;
    } else if (surrogate_sequence(text, i) > 0) {
      append_unit(out, 0xD000U | ((byte_at(text, i + 1) & 0x3FU) << 6) | (byte_at(text, i + 2) & 0x3FU));
      i += 3;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  out += '"';
}

std::string to_json(const JsonValue &value) {
  std::string out;
  append_value(out, value);
  return out;
}

void append_json_member(std::string &out, std::string_view name, std::string_view text) {
  append_name(out, name);
  append_json_string(out, text);
}

void append_json_raw_member(std::string &out, std::string_view name, std::string_view json) {
  append_name(out, name);
  out += json;
}

} // namespace trellis
