#include "contracts/event_subject.h"

#include "contracts/canonical.h"
#include "contracts/json_text.h"
#include "contracts/schema_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr char32_t kReplacementCharacter = 0xFFFD;

// ECMAScript's \s.
bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

bool is_escaped(char32_t c) {
  return c == 0 || c == '.' || c == '*' || c == '>' || c == '~' || is_space(c);
}

bool is_surrogate(char32_t c) {
  return c >= 0xD800 && c <= 0xDFFF;
}

void append_escape(std::string &out, char32_t c) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint32_t>(c), 16).ptr;
  out += '~';
  for (const char *digit = digits.data(); digit != end; ++digit)
    out += *digit >= 'a' ? static_cast<char>(*digit - 'a' + 'A') : *digit;
  out += '~';
}

// The escape that starts at `at`, and how long it is.
struct Escape {
  char32_t c = 0;
  std::size_t size = 0;
};
std::optional<Escape> escape_at(std::string_view token, std::size_t at) {
  constexpr std::size_t kMaxDigits = 6;
  if (token[at] != '~') return std::nullopt;
  const auto close = token.find('~', at + 1);
  if (close == std::string_view::npos || close == at + 1 || close - at - 1 > kMaxDigits) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : token.substr(at + 1, close - at - 1)) {
    if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'F')) return std::nullopt;
    value = value * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'A' + 10);
  }
  if (value > 0x10FFFF || is_surrogate(value)) return std::nullopt;
  return Escape{value, close + 1 - at};
}

std::string unescaped_segment(std::string_view segment) {
  std::string out;
  for (std::size_t at = 0; at < segment.size(); ++at) {
    const bool escape =
        segment[at] == '~' && at + 1 < segment.size() && (segment[at + 1] == '0' || segment[at + 1] == '1');
    out += escape ? (segment[++at] == '0' ? '~' : '/') : segment[at];
  }
  return out;
}

// The entry of an array by its index as text, which has no leading zeros.
const JsonValue *element(const JsonValue &array, std::string_view index) {
  if (index.empty() || (index.size() > 1 && index[0] == '0')) return nullptr;
  rapidjson::SizeType at = 0;
  const auto [end, problem] = std::from_chars(index.data(), index.data() + index.size(), at);
  if (problem != std::errc() || end != index.data() + index.size() || at >= array.Size()) return nullptr;
  return &array[at];
}

const JsonValue *child(const JsonValue &value, std::string_view segment) {
  // Names that lead to the objects behind every object in the language of existing clients.
  if (segment == "__proto__" || segment == "constructor" || segment == "prototype") return nullptr;
  return value.IsArray() ? element(value, segment) : find_member(value, segment);
}

const JsonValue *look_up(const JsonValue &payload, std::string_view pointer) {
  const JsonValue *value = &payload;
  auto rest = pointer.starts_with('/') ? pointer.substr(1) : pointer;
  for (bool more = true; more && value;) {
    const auto slash = rest.find('/');
    value = child(*value, unescaped_segment(rest.substr(0, slash)));
    more = slash != std::string_view::npos;
    rest = more ? rest.substr(slash + 1) : std::string_view();
  }
  return value;
}

std::optional<std::string> scalar_text(const JsonValue *value) {
  if (!value) return std::nullopt;
  if (value->IsString()) return std::string(text_of(*value));
  if (value->IsBool()) return value->IsTrue() ? "true" : "false";
  if (!value->IsNumber() || !std::isfinite(value->GetDouble())) return std::nullopt;
  return value->GetDouble() == 0 ? "0" : ecmascript_number(value->GetDouble());
}

Result<std::string> token_for(std::string_view pointer, const JsonValue &payload, SubjectMode mode) {
  const auto text = scalar_text(look_up(payload, pointer));
  if (mode == SubjectMode::filter && (!text || *text == "*")) return "*";
  if (!text)
    return fail("missing_template_value", std::string(pointer), "has no value for the subject",
                "a string, a number, true or false");
  return encode_subject_token(*text);
}

} // namespace

Result<std::string> expand_subject(std::string_view subject_template, const JsonValue &payload, SubjectMode mode) {
  std::string out;
  for (std::size_t at = 0; at < subject_template.size();) {
    const auto open = subject_template.find('{', at);
    const auto close = open == std::string_view::npos ? open : subject_template.find('}', open);
    if (close == std::string_view::npos) return out + std::string(subject_template.substr(at));
    out += subject_template.substr(at, open - at);
    at = close + 1;
    if (close == open + 1) {
      out += "{}"; // no token: 01 §8.3
      continue;
    }
    const auto token = token_for(subject_template.substr(open + 1, close - open - 1), payload, mode);
    if (!token) return tl::make_unexpected(token.error());
    out += *token;
  }
  return out;
}

std::string encode_subject_token(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto start = at;
    const char32_t c = schema::next_code_point(text, at);
    if (is_escaped(c))
      append_escape(out, c);
    else if (is_surrogate(c) || c == kReplacementCharacter)
      out += "\uFFFD"; // a subject is UTF-8
    else
      out += text.substr(start, at - start);
  }
  return out.empty() || out.front() == '$' ? "_" + out : out;
}

std::string decode_subject_token(std::string_view token) {
  std::string out;
  for (std::size_t at = 0; at < token.size();) {
    const auto escape = escape_at(token, at);
    if (escape)
      schema::append_code_point(out, escape->c);
    else
      out += token[at];
    at += escape ? escape->size : 1;
  }
  return out.starts_with("_$") ? out.substr(1) : out;
}

} // namespace trellis
