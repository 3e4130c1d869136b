// Characters and code points, as patterns and formats read them: ASCII classes without a locale, UTF-8 without trust.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trellis::schema {

constexpr bool is_ascii_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_ascii_letter(char32_t c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
constexpr bool is_ascii_alphanumeric(char32_t c) {
  return is_ascii_digit(c) || is_ascii_letter(c);
}

// -1 when it isn't a hexadecimal digit.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code point at `at`, which moves behind it. A lone surrogate is itself; a byte that starts nothing is U+FFFD.
char32_t next_code_point(std::string_view text, std::size_t &at);
void append_code_point(std::string &text, char32_t c);

} // namespace trellis::schema
