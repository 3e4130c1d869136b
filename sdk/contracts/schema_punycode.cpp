#include "contracts/schema_idna.h"
#include "contracts/schema_text.h"

#include <algorithm>
#include <limits>

namespace trellis::schema {
namespace {

// RFC 3492 §5. Labels are short, so 32 bits overflow only for texts that aren't labels; 64 bits make that visible.
constexpr std::uint64_t kBase = 36;
constexpr std::uint64_t kLeast = 1;
constexpr std::uint64_t kMost = 26;
constexpr std::uint64_t kSkew = 38;
constexpr std::uint64_t kDamp = 700;
constexpr std::uint64_t kFirstBias = 72;
constexpr char32_t kFirst = 0x80;
constexpr std::uint64_t kLimit = std::numeric_limits<std::uint32_t>::max();

std::uint64_t adapted(std::uint64_t delta, std::uint64_t points, bool first_time) {
  delta /= first_time ? kDamp : 2;
  delta += delta / points;
  std::uint64_t k = 0;
  for (; delta > (kBase - kLeast) * kMost / 2; k += kBase)
    delta /= kBase - kLeast;
  return k + (kBase - kLeast + 1) * delta / (delta + kSkew);
}

std::uint64_t threshold(std::uint64_t k, std::uint64_t bias) {
  return k <= bias ? kLeast : std::min(k - bias, kMost);
}

std::optional<std::uint64_t> digit_value(char c) {
  const auto letter = static_cast<unsigned char>(c);
  if (is_ascii_digit(letter)) return letter - '0' + 26U;
  if (is_ascii_letter(letter)) return (letter | 0x20U) - 'a';
  return std::nullopt;
}

char32_t digit(std::uint64_t value) {
  return static_cast<char32_t>(value < 26 ? 'a' + value : '0' + (value - 26));
}

char32_t in_lower_case(char c) {
  const auto letter = static_cast<unsigned char>(c);
  return is_ascii_letter(letter) ? letter | 0x20U : letter;
}

// One number of variable length; `text` moves behind it.
std::optional<std::uint64_t> read_delta(std::string_view &text, std::uint64_t bias) {
  std::uint64_t value = 0;
  std::uint64_t weight = 1;
  for (std::uint64_t k = kBase;; k += kBase) {
    if (text.empty()) return std::nullopt;
    const auto digit = digit_value(text.front());
    text.remove_prefix(1);
    if (!digit) return std::nullopt;
    value += *digit * weight;
    if (value > kLimit) return std::nullopt;
    const auto t = threshold(k, bias);
    if (*digit < t) return value;
    weight *= kBase - t;
    if (weight > kLimit) return std::nullopt;
  }
}

bool write_delta(Label &out, std::uint64_t delta, std::uint64_t bias) {
  for (std::uint64_t k = kBase;; k += kBase) {
    const auto t = threshold(k, bias);
    if (delta < t) return out.add(digit(delta));
    if (!out.add(digit(t + (delta - t) % (kBase - t)))) return false;
    delta = (delta - t) / (kBase - t);
  }
}

char32_t least_from(std::span<const char32_t> characters, char32_t from) {
  char32_t least = 0x10FFFF;
  for (const char32_t c : characters)
    if (c >= from) least = std::min(least, c);
  return least;
}

} // namespace

std::optional<Label> punycode_decoded(std::string_view text) {
  Label out;
  if (const auto dash = text.rfind('-'); dash != std::string_view::npos) {
    for (const char c : text.substr(0, dash))
      if (!out.add(in_lower_case(c))) return std::nullopt;
    text.remove_prefix(dash + 1);
  }
  std::uint64_t n = kFirst;
  std::uint64_t i = 0;
  std::uint64_t bias = kFirstBias;
  for (bool first_time = true; !text.empty(); first_time = false) {
    const auto delta = read_delta(text, bias);
    if (!delta) return std::nullopt;
    const std::uint64_t points = out.size() + 1;
    bias = adapted(*delta, points, first_time);
    i += *delta;
    n += i / points;
    i %= points;
    if (n > 0x10FFFF || !out.insert(i++, static_cast<char32_t>(n))) return std::nullopt;
  }
  return out;
}

std::optional<Label> punycode_encoded(std::span<const char32_t> characters) {
  Label out;
  for (const char32_t c : characters)
    if (c < kFirst && !out.add(c)) return std::nullopt;
  const std::uint64_t basic = out.size();
  if (basic > 0 && !out.add('-')) return std::nullopt;

  char32_t n = kFirst;
  std::uint64_t delta = 0;
  std::uint64_t bias = kFirstBias;
  for (std::uint64_t done = basic; done < characters.size();) {
    const char32_t next = least_from(characters, n);
    delta += (next - n) * (done + 1);
    n = next;
    for (const char32_t c : characters) {
      delta += c < n ? 1 : 0;
      if (c != n) continue;
      if (!write_delta(out, delta, bias)) return std::nullopt;
      bias = adapted(delta, done + 1, done == basic);
      ++done;
      delta = 0;
    }
    ++delta;
    ++n;
  }
  return out;
}

} // namespace trellis::schema
