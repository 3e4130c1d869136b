#define PCRE2_CODE_UNIT_WIDTH 8
#include "placeholders.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <pcre2.h>
#include <rapidjson/document.h>
#include <stdexcept>
#include <utility>

namespace trellis::vectors {
namespace {

constexpr double kNowToleranceSeconds = 5; // README §1.3, <now>

#define B64 "[A-Za-z0-9_-]"
constexpr std::string_view kTime = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";
constexpr std::string_view kAnyInstant = R"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]00:00))";
constexpr std::string_view kUlid = "[0-9A-HJKMNP-TV-Z]{26}";

constexpr std::array<std::pair<std::string_view, std::string_view>, 21> kPatterns = {{
    {"time", kTime},
    {"unix-seconds", R"(-?\d+)"},
    {"number", R"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"},
    {"text", ".+"},
    {"ulid", kUlid},
    {"ulid-lowercase", "[0-9a-hjkmnp-tv-z]{26}"},
    {"id", B64 "+"},
    {"errorId", kUlid},
    {"requestId", kUlid},
    {"transferId", kUlid},
    {"random", B64 "{43}"},
    {"jwt", B64 R"(+\.)" B64 R"(+\.)" B64 "+"},
    {"nkey-seed", "S[A-Z2-7]{57}"},
    {"nats-url", R"([A-Za-z][A-Za-z0-9+.-]*:.+)"},
    {"sessionKey", B64 "{43}"},
    {"inboxPrefix", R"(_INBOX\.)" B64 "{16}"},
    {"nuid", "[A-Za-z0-9]{22}"}, // 09 C: 22 base62 characters
    {"op", B64 "+"},
    {"runtime", "deno|node|rust|unknown"}, // 06 §8.1
    {"runtime version", ".+"},
    {"now", R"(-?\d+)"},
}};
#undef B64

std::string_view pattern_of(std::string_view name) {
  const auto *found =
      std::find_if(kPatterns.begin(), kPatterns.end(), [&](const auto &entry) { return entry.first == name; });
  return found == kPatterns.end() ? std::string_view{} : found->second;
}

// "nuid2" -> "nuid", "sessionKey:A" -> "sessionKey", others unchanged.
std::string_view without_number_or_argument(std::string_view name) {
  if (const auto colon = name.find(':'); colon != std::string_view::npos) return name.substr(0, colon);
  const auto last = name.find_last_not_of("0123456789");
  return last == std::string_view::npos ? name : name.substr(0, last + 1);
}

// These mean nothing without their number or argument: a bare "<op>" is literal text.
bool needs_number_or_argument(std::string_view base) {
  return base == "nuid" || base == "op" || base == "sessionKey" || base == "inboxPrefix";
}

// N-th *different* id: two numbers never share a value.
bool distinct_by_number(std::string_view base) {
  return base == "nuid" || base == "op";
}

std::string quoted(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!word && static_cast<unsigned char>(c) < 0x80) out += '\\';
    out += c;
  }
  return out;
}

// The captured groups of the whole `text`, or nothing when it doesn't match.
std::vector<std::string_view> captures(const std::string &pattern, std::string_view text) {
  using Code = std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)>;
  using Match = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
  constexpr std::uint32_t kOptions = PCRE2_DOTALL | PCRE2_ANCHORED | PCRE2_ENDANCHORED;
  int error = 0;
  std::size_t offset = 0;
  const auto *bytes = reinterpret_cast<PCRE2_SPTR>(pattern.data());
  const Code code(pcre2_compile(bytes, pattern.size(), kOptions, &error, &offset, nullptr), &pcre2_code_free);
  if (!code) throw std::logic_error("placeholder pattern: " + pattern);
  const Match match(pcre2_match_data_create_from_pattern(code.get(), nullptr), &pcre2_match_data_free);
  const auto *subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const int count = pcre2_match(code.get(), subject, text.size(), 0, 0, match.get(), nullptr);
  std::vector<std::string_view> groups;
  const std::size_t *range = pcre2_get_ovector_pointer(match.get());
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i)
    groups.push_back(text.substr(range[2 * i], range[2 * i + 1] - range[2 * i]));
  return groups;
}

} // namespace

bool may_be_absent(const JsonValue &expected) {
  return text_of(expected) == "<runtime version>";
}

Placeholders::Piece Placeholders::placeholder(std::string_view name) const {
  if (const auto value = values_.find(name); value != values_.end() && name != "now")
    return {std::string(name), quoted(value->second), false};
  if (name == "now" && !values_.contains(name)) return {};
  if (name == "time" && any_instant_) return {"time", std::string(kAnyInstant), false};
  const auto base = without_number_or_argument(name);
  const bool bound = base != name || name == "transferId";
  if (!bound && needs_number_or_argument(base)) return {};
  return {std::string(name), std::string(pattern_of(base)), bound};
}

std::vector<Placeholders::Piece> Placeholders::pieces_of(std::string_view expected) const {
  std::vector<Piece> pieces;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) pieces.push_back({std::exchange(literal, {}), {}, false});
  };
  for (std::size_t i = 0; i < expected.size();) {
    const auto end = expected[i] == '<' ? expected.find('>', i) : std::string_view::npos;
    Piece piece = end == std::string_view::npos ? Piece{} : placeholder(expected.substr(i + 1, end - i - 1));
    if (piece.pattern.empty()) {
      literal += expected[i++];
      continue;
    }
    flush();
    pieces.push_back(std::move(piece));
    i = end + 1;
  }
  flush();
  return pieces;
}

bool Placeholders::occur_in(std::string_view expected) const {
  if (expected.find('<') == std::string_view::npos) return false;
  const auto pieces = pieces_of(expected);
  return std::any_of(pieces.begin(), pieces.end(), [](const Piece &piece) { return !piece.pattern.empty(); });
}

bool Placeholders::match(std::string_view expected, const JsonValue &actual) {
  if (actual.IsString() && text_of(actual) == expected) return true;
  if (expected.find('<') == std::string_view::npos) return false;
  const auto pieces = pieces_of(expected);
  if (pieces.size() == 1 && !pieces[0].pattern.empty()) {
    const auto &name = pieces[0].text;
    if (name == "number" || name == "unix-seconds" || name == "now") return match_number(name, actual);
  }
  return actual.IsString() && match_text(pieces, text_of(actual));
}

bool Placeholders::match_number(std::string_view name, const JsonValue &actual) const {
  if (!actual.IsNumber()) return false;
  const double number = actual.GetDouble();
  if (name == "number") return number >= 0;
  if (name == "unix-seconds") return number == std::floor(number) && std::isfinite(number);
  return std::abs(number - std::strtod(values_.find(name)->second.c_str(), nullptr)) <= kNowToleranceSeconds;
}

bool Placeholders::match_text(const std::vector<Piece> &pieces, std::string_view actual) {
  std::string pattern;
  std::vector<std::string> groups; // names that this string binds, in the order of their capture groups
  for (const auto &piece : pieces) {
    const auto known = bound_.find(piece.text);
    const auto group = std::find(groups.begin(), groups.end(), piece.text);
    if (piece.pattern.empty()) {
      pattern += quoted(piece.text);
    } else if (!piece.bound) {
      pattern += "(?:" + piece.pattern + ")";
    } else if (known != bound_.end()) {
      pattern += quoted(known->second);
    } else if (group != groups.end()) {
      pattern += "\\g{" + std::to_string(group - groups.begin() + 1) + "}";
    } else {
      pattern += "(" + piece.pattern + ")";
      groups.push_back(piece.text);
    }
  }
  const auto found = captures(pattern, actual);
  if (found.empty()) return false;
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (!bind(groups[i], found.at(i + 1))) return false;
  return true;
}

bool Placeholders::bind(const std::string &name, std::string_view value) {
  const auto base = without_number_or_argument(name);
  const auto taken = [&](const auto &other) {
    return without_number_or_argument(other.first) == base && other.second == value;
  };
  if (distinct_by_number(base) && std::any_of(bound_.begin(), bound_.end(), taken)) return false;
  bound_.emplace(name, value);
  return true;
}

} // namespace trellis::vectors
