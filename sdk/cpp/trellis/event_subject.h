// Subject tokens of event templates (01 §8.4), for generated code.
#pragma once

#include "trellis/json_text.h"
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

// The code point of a well-formed sequence of `size` bytes.
inline char32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(sequence[i])); };
  constexpr std::array<char32_t, 5> kLeadBits{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t out = byte(0) & kLeadBits[sequence.size()];
  for (std::size_t i = 1; i < sequence.size(); ++i)
    out = (out << 6U) | (byte(i) & 0x3FU);
  return out;
}

// What may not be in a token as it is: NUL, . * > ~ and ECMAScript's white space.
inline bool is_escaped_in_subjects(char32_t c) {
  constexpr std::u32string_view kOthers = U".*>~ \u00A0\u1680\u2028\u2029\u202F\u205F\u3000\uFEFF";
  return c == 0 || (c >= 0x9 && c <= 0xD) || (c >= 0x2000 && c <= 0x200A) ||
         kOthers.find(c) != std::u32string_view::npos;
}

// The subject token that stands for `text`.
inline std::string subject_token(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = json::sequence_length(text, i);
    const auto sequence = text.substr(i, length == 0 ? 1 : length);
    i += sequence.size();
    const char32_t c = length == 0 ? U'\uFFFD' : code_point(sequence);
    if (!is_escaped_in_subjects(c)) {
      out += sequence;
      continue;
    }
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<std::uint32_t>(c), 16).ptr;
    out += '~';
    for (const char *digit = digits; digit != end; ++digit)
      out += *digit >= 'a' ? static_cast<char>(*digit - 'a' + 'A') : *digit;
    out += '~';
  }
  return out.empty() || out[0] == '$' ? "_" + out : out;
}
inline std::string subject_token(double number) {
  return subject_token(json::number_text(number));
}

// The token of a filter: "*" for no value and for the text "*".
inline std::string filter_token(std::optional<std::string_view> text) {
  return text && *text != "*" ? subject_token(*text) : "*";
}
inline std::string filter_token(std::optional<double> number) {
  return number ? subject_token(*number) : "*";
}

} // namespace trellis
