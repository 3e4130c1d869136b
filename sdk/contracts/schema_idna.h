// Internationalized host labels: what RFC 5891 to 5893 let a U-label hold. Internal to schema_hosts.cpp.
//
// libidn2 was rejected: it maps what users type (upper case, full width) to what is looked up, while a format check has
// to say whether the text already is a label, and it allocates.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace trellis::schema {

inline constexpr std::size_t kMaxLabel = 63; // octets of the A-label

enum class LabelCharacter : std::uint8_t {
  disallowed, // or only allowed by its context
  left,
  right,
  arabic_number,
  neutral,
  mark,    // combining, without width
  spacing, // combining, from left to right
  virama,
};

struct LabelRange {
  char32_t first;
  char32_t last;
  std::uint8_t stride;
  LabelCharacter kind;
};

std::span<const LabelRange> label_ranges(); // sorted; beyond ASCII

// The characters of one label.
class Label {
public:
  bool add(char32_t c); // false when it is full
  bool insert(std::size_t at, char32_t c);
  std::span<const char32_t> characters() const { return {characters_.data(), size_}; }
  std::size_t size() const { return size_; }

private:
  std::array<char32_t, kMaxLabel> characters_{};
  std::size_t size_ = 0;
};

// RFC 3492, without the prefix of A-labels. Case doesn't count in what is decoded, and is lower in what is encoded.
std::optional<Label> punycode_decoded(std::string_view text);
std::optional<Label> punycode_encoded(std::span<const char32_t> characters);

bool is_u_label(std::span<const char32_t> label);          // RFC 5891 §4.2, RFC 5892
bool has_right_to_left(std::span<const char32_t> label);   // RFC 5893 §1.4
bool satisfies_bidi_rule(std::span<const char32_t> label); // RFC 5893 §2

} // namespace trellis::schema
