#include "contracts/schema_idna.h"
#include "contracts/schema_text.h"

#include <algorithm>

namespace trellis::schema {
namespace {

using Characters = std::span<const char32_t>;

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t N>
bool is_in(char32_t c, const Range (&ranges)[N]) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](Range range) { return c >= range.first && c <= range.last; });
}

constexpr Range kGreek[] = {{0x370, 0x373}, {0x375, 0x377}, {0x37A, 0x37D}, {0x37F, 0x37F},  {0x384, 0x384},
                            {0x386, 0x386}, {0x388, 0x3E1}, {0x3F0, 0x3FF}, {0x1F00, 0x1FFE}};
constexpr Range kHebrew[] = {{0x591, 0x5F4}, {0xFB1D, 0xFB4F}};
constexpr Range kJapanese[] = {{0x2E80, 0x2FD5}, {0x3005, 0x3005},   {0x3007, 0x3007},  {0x3021, 0x3029},
                               {0x3038, 0x303B}, {0x3041, 0x3096},   {0x309D, 0x309F},  {0x30A1, 0x30FA},
                               {0x30FD, 0x30FF}, {0x31F0, 0x31FF},   {0x3400, 0x4DBF},  {0x4E00, 0x9FFF},
                               {0xF900, 0xFAD9}, {0x1B000, 0x1B167}, {0x20000, 0x3134A}};

// Letters that join the next one, or only the one before (Joining_Type D and R) in the scripts that write so.
constexpr Range kJoining[] = {
    {0x620, 0x620},     {0x622, 0x63F},     {0x641, 0x64A},    {0x66E, 0x66F}, {0x671, 0x673},   {0x675, 0x6D3},
    {0x6D5, 0x6D5},     {0x6EE, 0x6EF},     {0x6FA, 0x6FC},    {0x6FF, 0x6FF}, {0x710, 0x72F},   {0x74D, 0x77F},
    {0x7CA, 0x7EA},     {0x840, 0x858},     {0x860, 0x86A},    {0x8A0, 0x8C8}, {0x1820, 0x1878}, {0xA840, 0xA872},
    {0x10AC0, 0x10AEB}, {0x10D00, 0x10D23}, {0x1E900, 0x1E943}};
constexpr Range kJoiningBackOnly[] = {
    {0x622, 0x625}, {0x627, 0x627}, {0x629, 0x629}, {0x62F, 0x632}, {0x648, 0x648}, {0x671, 0x673}, {0x675, 0x677},
    {0x688, 0x699}, {0x6C0, 0x6C0}, {0x6C3, 0x6CB}, {0x6CD, 0x6CD}, {0x6CF, 0x6CF}, {0x6D2, 0x6D3}, {0x6D5, 0x6D5},
    {0x6EE, 0x6EF}, {0x710, 0x710}, {0x715, 0x719}, {0x71E, 0x71E}, {0x728, 0x728}, {0x72A, 0x72A}, {0x72C, 0x72C},
    {0x72F, 0x72F}, {0x74D, 0x74D}, {0x759, 0x75B}, {0x76B, 0x76C}, {0x771, 0x771}, {0x773, 0x774}, {0x778, 0x779},
    {0x8AA, 0x8AC}, {0x8AE, 0x8AE}, {0x8B1, 0x8B2}, {0x8B9, 0x8B9}};

constexpr Range kArabicIndicDigits[] = {{0x660, 0x669}};
constexpr Range kExtendedArabicIndicDigits[] = {{0x6F0, 0x6F9}};

LabelCharacter kind_of(char32_t c) {
  const auto ranges = label_ranges();
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](char32_t value, const LabelRange &range) { return value < range.first; });
  if (after == ranges.begin()) return LabelCharacter::disallowed;
  const LabelRange &range = *(after - 1);
  const bool inside = c <= range.last && (c - range.first) % range.stride == 0;
  return inside ? range.kind : LabelCharacter::disallowed;
}

bool is_combining(LabelCharacter kind) {
  return kind == LabelCharacter::mark || kind == LabelCharacter::spacing || kind == LabelCharacter::virama;
}

template <std::size_t N>
bool contains_any(Characters label, const Range (&ranges)[N]) {
  return std::any_of(label.begin(), label.end(), [&](char32_t c) { return is_in(c, ranges); });
}

// RFC 5892 appendix A.1, the part for scripts whose letters join: a letter that joins on each side, marks aside.
bool breaks_a_join(Characters label, std::size_t at) {
  const auto joins = [](char32_t c) { return is_in(c, kJoining); };
  const auto is_mark = [](char32_t c) { return kind_of(c) == LabelCharacter::mark; };
  const auto before = label.first(at);
  const auto after = label.subspan(at + 1);
  const auto left = std::find_if_not(before.rbegin(), before.rend(), is_mark);
  const auto right = std::find_if_not(after.begin(), after.end(), is_mark);
  return left != before.rend() && right != after.end() && joins(*left) && !is_in(*left, kJoiningBackOnly) &&
         joins(*right);
}

// RFC 5892 appendix A: characters that are only right beside certain others.
bool fits_its_context(Characters label, std::size_t at) {
  const char32_t before = at > 0 ? label[at - 1] : 0;
  const char32_t after = at + 1 < label.size() ? label[at + 1] : 0;
  switch (label[at]) {
  case 0xB7: return before == 'l' && after == 'l';
  case 0x375: return is_in(after, kGreek);
  case 0x5F3:
  case 0x5F4: return is_in(before, kHebrew);
  case 0x200C: return kind_of(before) == LabelCharacter::virama || breaks_a_join(label, at);
  case 0x200D: return kind_of(before) == LabelCharacter::virama;
  case 0x30FB: return contains_any(label, kJapanese);
  default: break;
  }
  if (is_in(label[at], kArabicIndicDigits)) return !contains_any(label, kExtendedArabicIndicDigits);
  if (is_in(label[at], kExtendedArabicIndicDigits)) return !contains_any(label, kArabicIndicDigits);
  return false;
}

bool is_allowed(Characters label, std::size_t at) {
  const char32_t c = label[at];
  if (c < 0x80)
    return c == '-' || is_ascii_digit(c) || (is_ascii_letter(c) && c >= 'a'); // mapped before: no upper case
  return kind_of(c) != LabelCharacter::disallowed || fits_its_context(label, at);
}

// ---------------------------------------------------------------- RFC 5893

enum class Direction : std::uint8_t { left, right, european_number, arabic_number, mark, other };

Direction direction_of(char32_t c) {
  if (is_ascii_letter(c)) return Direction::left;
  if (is_ascii_digit(c) || is_in(c, kExtendedArabicIndicDigits)) return Direction::european_number;
  if (is_in(c, kArabicIndicDigits)) return Direction::arabic_number;
  if (c == 0x5F3 || c == 0x5F4) return Direction::right;
  if (c == 0xB7 || c == 0x375 || c == 0x30FB || c == 0x200C || c == 0x200D || c == '-') return Direction::other;
  switch (kind_of(c)) {
  case LabelCharacter::right: return Direction::right;
  case LabelCharacter::arabic_number: return Direction::arabic_number;
  case LabelCharacter::mark:
  case LabelCharacter::virama: return Direction::mark;
  case LabelCharacter::neutral: return Direction::other;
  default: return Direction::left;
  }
}

bool has_direction(Characters label, Direction direction) {
  return std::any_of(label.begin(), label.end(), [&](char32_t c) { return direction_of(c) == direction; });
}

} // namespace

bool Label::add(char32_t c) {
  return insert(size_, c);
}

bool Label::insert(std::size_t at, char32_t c) {
  if (size_ == characters_.size()) return false;
  const auto place = characters_.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end = characters_.begin() + static_cast<std::ptrdiff_t>(size_);
  std::copy_backward(place, end, end + 1);
  *place = c;
  ++size_;
  return true;
}

bool is_u_label(Characters label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  if (label.size() > 3 && label[2] == '-' && label[3] == '-') return false;
  if (is_combining(kind_of(label.front()))) return false;
  for (std::size_t at = 0; at < label.size(); ++at)
    if (!is_allowed(label, at)) return false;
  return true;
}

bool has_right_to_left(Characters label) {
  return has_direction(label, Direction::right) || has_direction(label, Direction::arabic_number);
}

bool satisfies_bidi_rule(Characters label) {
  const Direction first = direction_of(label.front());
  if (first != Direction::left && first != Direction::right) return false;
  const bool to_left = first == Direction::right;
  if (has_direction(label, to_left ? Direction::left : Direction::right)) return false;
  const bool arabic = has_direction(label, Direction::arabic_number);
  if (arabic && (!to_left || has_direction(label, Direction::european_number))) return false;
  const auto last =
      std::find_if(label.rbegin(), label.rend(), [](char32_t c) { return direction_of(c) != Direction::mark; });
  const Direction end = direction_of(*last);
  return end == first || end == Direction::european_number || (to_left && end == Direction::arabic_number);
}

} // namespace trellis::schema
