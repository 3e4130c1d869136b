// JSON texts at the level of characters: what RapidJSON refuses, prepared for it; strings and numbers as the protocol
// writes them.
//
// JSON of the protocol may hold unpaired surrogate escapes. Inside a program they are the three bytes that UTF-8 would
// have for them, and become escapes again when written; so what came in goes out.
#pragma once

#include "trellis/json.h"
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <string>
#include <string_view>
#include <system_error>

namespace trellis::json {

// The code unit of a \uXXXX escape that starts at `at`, or -1.
inline int escaped_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, unit, 16);
  return error == std::errc() && end == text.data() + at + 6 ? unit : -1;
}

inline void append_three_bytes(std::string &out, int unit) {
  out += static_cast<char>(0xE0 | (unit >> 12));
  out += static_cast<char>(0x80 | ((unit >> 6) & 0x3F));
  out += static_cast<char>(0x80 | (unit & 0x3F));
}

// `text` with the unpaired surrogate escapes replaced by their bytes.
inline std::string without_lone_surrogates(std::string_view text) {
  const auto is_high = [](int unit) { return unit >= 0xD800 && unit <= 0xDBFF; };
  const auto is_low = [](int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; };
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const int unit = text[i] == '\\' ? escaped_unit(text, i) : -1;
    const bool is_pair = is_high(unit) && is_low(escaped_unit(text, i + 6));
    if ((is_high(unit) || is_low(unit)) && !is_pair) {
      append_three_bytes(out, unit);
      i += 6;
      continue;
    }
    // Another escape goes whole, so that the second of two backslashes doesn't start one.
    const std::size_t size = text[i] != '\\' ? 1 : is_pair ? 12 : 2;
    out += text.substr(i, size);
    i += size;
  }
  return out;
}

// Whether arrays and objects are nested deeper than kMaxDepth: everything that walks a document may recurse.
inline bool is_too_deep(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"')
      for (++i; i < text.size() && text[i] != '"'; ++i)
        i += text[i] == '\\' ? 1 : 0;
    if ((c == '{' || c == '[') && ++depth > kMaxDepth) return true;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

// What is wrong with a text, or nullptr. `use` gets a text that RapidJSON can read, and says whether it could.
template <class Use>
const char *read_text(std::string_view text, const Use &use) {
  if (text.find('\0') != std::string_view::npos) return "not a JSON text: it holds a NUL byte";
  if (is_too_deep(text)) return "not a JSON text of at most 512 nested arrays and objects";
  const bool has_surrogates =
      text.find("\\uD") != std::string_view::npos || text.find("\\ud") != std::string_view::npos;
  const bool is_json = has_surrogates ? use(without_lone_surrogates(text)) : use(text);
  return is_json ? nullptr : "not a JSON text";
}

inline constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag;

inline bool is_json(std::string_view text) {
  const auto parses = [](std::string_view prepared) {
    rapidjson::MemoryStream stream(prepared.data(), prepared.size());
    rapidjson::BaseReaderHandler<> ignore;
    rapidjson::Reader reader;
    return !reader.Parse<kParseFlags>(stream, ignore).IsError();
  };
  return read_text(text, parses) == nullptr;
}

// Length of the UTF-8 sequence at `at`, counting an unpaired surrogate's three bytes as one. 0 when there is none.
inline std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(at + 1) ? 2 : 0;
  if (!continues(at + 1) || !continues(at + 2)) return 0;
  if (lead == 0xE0) return byte(at + 1) >= 0xA0 ? 3 : 0;
  if (lead > 0xE0 && lead <= 0xEF) return 3;
  if (lead < 0xF0 || lead > 0xF4 || !continues(at + 3)) return 0;
  return (lead == 0xF0 && byte(at + 1) < 0x90) || (lead == 0xF4 && byte(at + 1) >= 0x90) ? 0 : 4;
}

inline void append_escape(std::string &out, unsigned unit) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  out += "\\u";
  for (unsigned shift = 16; shift > 0;)
    out += kHexDigits[(unit >> (shift -= 4)) & 0xFU];
}

inline void append_character(std::string &out, char c) {
  constexpr std::string_view kNamed = "\"\\\b\t\n\f\r";
  constexpr std::string_view kNames = "\"\\btnfr";
  if (const auto at = kNamed.find(c); at != std::string_view::npos)
    (out += '\\') += kNames[at];
  else if (static_cast<unsigned char>(c) < 0x20)
    append_escape(out, static_cast<unsigned char>(c));
  else
    out += c;
}

// Appends `text` quoted. False when it isn't UTF-8.
inline bool append_string(std::string &out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    if (length == 0) return false;
    const auto byte = [&](std::size_t k) { return static_cast<unsigned>(static_cast<unsigned char>(text[i + k])); };
    const bool is_surrogate = length == 3 && byte(0) == 0xED && byte(1) >= 0xA0;
    if (length == 1)
      append_character(out, text[i]);
    else if (is_surrogate)
      append_escape(out, 0xD000U | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU));
    else
      out += text.substr(i, length);
    i += length;
  }
  out += '"';
  return true;
}

// A finite number as ECMAScript prints it: digits up to 1e21 and down to 1e-6, beyond that 1e+21 and 1e-7.
inline std::string number_text(double value) {
  if (value == 0) return "0";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string digits(buffer, end); // [-]d[.ddd]e[+-]xx, the shortest that reads back the same
  const std::string sign = digits[0] == '-' ? "-" : "";
  digits.erase(0, sign.size());
  const auto e = digits.find('e');
  const int exponent = std::atoi(digits.c_str() + e + 1);
  digits.resize(e);
  if (digits.size() > 1) digits.erase(1, 1);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1; // the value is 0.digits * 10^point
  if (count <= point && point <= 21) return sign + digits + std::string(static_cast<std::size_t>(point - count), '0');
  if (0 < point && point <= 21) return sign + digits.insert(static_cast<std::size_t>(point), ".");
  if (-6 < point && point <= 0) return sign + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (count > 1) digits.insert(1, ".");
  return sign + digits + (exponent < 0 ? "e-" : "e+") + std::to_string(std::abs(exponent));
}

} // namespace trellis::json
