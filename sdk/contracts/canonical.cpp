#include "contracts/canonical.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

// Reads generalized UTF-8 as UTF-16 code units.
class CodeUnits {
public:
  explicit CodeUnits(std::string_view text) : text_(text) {}

  // The next unit, or -1 at the end.
  std::int32_t next() {
    if (low_ >= 0) return std::exchange(low_, -1);
    if (at_ >= text_.size()) return -1;
    const std::int32_t point = next_point();
    if (point < 0x10000) return point;
    low_ = 0xDC00 + ((point - 0x10000) & 0x3FF);
    return 0xD800 + ((point - 0x10000) >> 10);
  }

private:
  std::int32_t next_point() {
    const std::uint8_t lead = byte_at(text_, at_++);
    const int following = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    std::int32_t point = following == 0 ? lead : lead & (0x3F >> following);
    for (int i = 0; i < following && at_ < text_.size(); ++i)
      point = (point << 6) | (byte_at(text_, at_++) & 0x3F);
    return point;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::int32_t low_ = -1;
};

// Generalized UTF-8 holds an unpaired surrogate as ED A0..BF xx; its code unit, or -1.
std::int32_t lone_surrogate(std::string_view text, std::size_t at) {
  if (byte_at(text, at) != 0xED || at + 2 >= text.size() || byte_at(text, at + 1) < 0xA0) return -1;
  return 0xD000 | ((byte_at(text, at + 1) & 0x3F) << 6) | (byte_at(text, at + 2) & 0x3F);
}

void append_unit_escape(std::string &out, std::int32_t unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out += kHexDigits[(unit >> shift) & 0xF];
}

char short_escape(char c) {
  switch (c) {
  case '"': return '"';
  case '\\': return '\\';
  case '\b': return 'b';
  case '\t': return 't';
  case '\n': return 'n';
  case '\f': return 'f';
  case '\r': return 'r';
  default: return 0;
  }
}

void append_string(std::string &out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (const char escape = short_escape(c)) {
      out += '\\';
      out += escape;
    } else if (static_cast<std::uint8_t>(c) < 0x20) {
      append_unit_escape(out, c);
    } else if (const auto unit = lone_surrogate(text, i); unit >= 0) {
      append_unit_escape(out, unit);
      i += 2;
    } else {
      out += c;
    }
  }
  out += '"';
}

// Walks a value and appends its text. The first number that has no canonical form ends the walk; the path to it is
// collected on the way back.
class Writer {
public:
  explicit Writer(NegativeZero negative_zero) : negative_zero_(negative_zero) {}

  bool write(const JsonValue &value) {
    switch (value.GetType()) {
    case rapidjson::kNullType: out_ += "null"; return true;
    case rapidjson::kFalseType: out_ += "false"; return true;
    case rapidjson::kTrueType: out_ += "true"; return true;
    case rapidjson::kStringType: append_string(out_, text_of(value)); return true;
    case rapidjson::kNumberType: return write_number(value.GetDouble());
    case rapidjson::kArrayType: return write_array(value);
    case rapidjson::kObjectType: return write_object(value);
    }
    return false;
  }

  std::string take_text() { return std::move(out_); }

  tl::unexpected<Error> error() const {
    std::string where;
    for (auto token = path_.rbegin(); token != path_.rend(); ++token)
      where += json_pointer(*token);
    return fail("non_canonical_number", where, problem_, "a finite number other than negative zero");
  }

private:
  bool write_number(double number) {
    const bool negative_zero = number == 0 && std::signbit(number);
    if (!std::isfinite(number) || (negative_zero && negative_zero_ == NegativeZero::error)) {
      problem_ = negative_zero ? "negative zero" : "number beyond the range of a double";
      return false;
    }
    out_ += ecmascript_number(number);
    return true;
  }

  bool write_array(const JsonValue &array) {
    out_ += '[';
    for (rapidjson::SizeType i = 0; i < array.Size(); ++i) {
      if (i > 0) out_ += ',';
      if (!write(array[i])) return leave(std::to_string(i));
    }
    out_ += ']';
    return true;
  }

  bool write_object(const JsonValue &object) {
    std::vector<const JsonValue::Member *> members;
    members.reserve(object.MemberCount());
    for (const auto &member : object.GetObject())
      members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto *a, const auto *b) { return utf16_less(text_of(a->name), text_of(b->name)); });
    out_ += '{';
    for (const auto *member : members) {
      if (member != members.front()) out_ += ',';
      append_string(out_, text_of(member->name));
      out_ += ':';
      if (!write(member->value)) return leave(std::string(text_of(member->name)));
    }
    out_ += '}';
    return true;
  }

  bool leave(std::string token) {
    path_.push_back(std::move(token));
    return false;
  }

  NegativeZero negative_zero_;
  std::string out_;
  std::string problem_;
  std::vector<std::string> path_; // innermost first
};

} // namespace

Result<std::string> canonical_json(const JsonValue &value, NegativeZero negative_zero) {
  Writer writer(negative_zero);
  if (!writer.write(value)) return writer.error();
  return writer.take_text();
}

std::string ecmascript_number(double value) {
  if (value == 0) return "0";
  std::array<char, 32> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value), std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const auto e = shortest.find('e');
  std::string digits(shortest.substr(0, 1));
  if (e > 2) digits += shortest.substr(2, e - 2);
  int exponent = 0;
  const std::size_t exponent_at = shortest[e + 1] == '+' ? e + 2 : e + 1;
  std::from_chars(shortest.data() + exponent_at, shortest.data() + shortest.size(), exponent);

  // 01 §6 rule 2: value = 0.digits x 10^n.
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  std::string out = value < 0 ? "-" : "";
  if (k <= n && n <= 21) return out + digits + std::string(static_cast<std::size_t>(n - k), '0');
  if (0 < n && n < k)
    return out + digits.substr(0, static_cast<std::size_t>(n)) + "." + digits.substr(static_cast<std::size_t>(n));
  if (-6 < n && n <= 0) return out + "0." + std::string(static_cast<std::size_t>(-n), '0') + digits;
  out += digits[0];
  if (k > 1) out += "." + digits.substr(1);
  return out + "e" + (exponent < 0 ? "-" : "+") + std::to_string(std::abs(exponent));
}

bool utf16_less(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_b == b.end()) return false;
  if (in_a == a.end()) return true;
  // Both differ inside the code point that starts at or before here; a continuation byte is never the start of one.
  auto start = static_cast<std::size_t>(in_a - a.begin());
  while (start > 0 && ((byte_at(a, start) & 0xC0) == 0x80 || (byte_at(b, start) & 0xC0) == 0x80))
    --start;
  CodeUnits units_a(a.substr(start)), units_b(b.substr(start));
  while (true) {
    const auto unit_a = units_a.next(), unit_b = units_b.next();
    if (unit_a != unit_b) return unit_a < unit_b;
    if (unit_a < 0) return false;
  }
}

std::string canonical_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_string(out, text);
  return out;
}

std::string canonical_array(const std::vector<std::string> &items) {
  std::string out = "[";
  for (const auto &item : items) {
    if (out.size() > 1) out += ',';
    out += item;
  }
  return out + "]";
}

std::string CanonicalObject::text() const {
  std::vector<const std::pair<std::string, std::string> *> sorted;
  sorted.reserve(members_.size());
  for (const auto &member : members_)
    sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const auto *a, const auto *b) { return utf16_less(a->first, b->first); });
  std::string out = "{";
  for (const auto *member : sorted) {
    if (out.size() > 1) out += ',';
    append_string(out, member->first);
    out += ':';
    out += member->second;
  }
  return out + "}";
}

} // namespace trellis
