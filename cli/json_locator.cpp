#include "json_locator.h"

#include "contracts/json.h"
#include <algorithm>
#include <charconv>
#include <optional>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::size_t skip_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kSpace, at), text.size());
}

// Behind the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

// Behind the value that begins at `at`; without recursion, so that depth costs no stack.
std::size_t skip_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return text.size();
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] != '{' && text[at] != '[') return std::min(text.find_first_of(",]} \t\r\n", at), text.size());
  for (std::size_t depth = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return text.size();
}

// The member or item behind the value that begins at `at`; the end of the text when there is none.
std::size_t next_entry(std::string_view text, std::size_t at) {
  const auto comma = skip_space(text, skip_value(text, at));
  if (comma >= text.size() || text[comma] != ',') return text.size();
  return skip_space(text, comma + 1);
}

// Whether the string token (with quotes) means `name`.
bool means(std::string_view token, std::string_view name) {
  if (token.size() >= 2 && token.find('\\') == std::string_view::npos) return token.substr(1, token.size() - 2) == name;
  const auto parsed = parse_json(token);
  return parsed && text_of(*parsed) == name;
}

std::optional<std::size_t> find_member_at(std::string_view text, std::size_t object, std::string_view name) {
  std::optional<std::size_t> found;
  std::size_t at = skip_space(text, object + 1);
  while (at < text.size() && text[at] == '"') {
    const auto end = skip_string(text, at);
    const bool is_it = means(text.substr(at, end - at), name);
    at = skip_space(text, skip_space(text, end) + 1); // over the colon
    if (is_it) found = at;
    at = next_entry(text, at);
  }
  return found;
}

std::optional<std::size_t> find_item_at(std::string_view text, std::size_t array, std::string_view token) {
  std::size_t index = 0;
  const auto parsed = std::from_chars(token.data(), token.data() + token.size(), index);
  if (parsed.ec != std::errc() || parsed.ptr != token.data() + token.size()) return {};
  std::size_t at = skip_space(text, array + 1);
  while (at < text.size() && text[at] != ']') {
    if (index-- == 0) return at;
    at = next_entry(text, at);
  }
  return {};
}

// ~1 is "/", ~0 is "~".
std::string unescape(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escaped = token[i] == '~' && i + 1 < token.size();
    out += escaped ? (token[++i] == '1' ? '/' : '~') : token[i];
  }
  return out;
}

} // namespace

std::size_t locate_json(std::string_view text, std::string_view pointer) {
  std::size_t at = skip_space(text, 0);
  while (pointer.starts_with('/') && at < text.size()) {
    pointer.remove_prefix(1);
    const auto token = unescape(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(std::min(pointer.find('/'), pointer.size()));
    std::optional<std::size_t> child;
    if (text[at] == '{') child = find_member_at(text, at, token);
    if (text[at] == '[') child = find_item_at(text, at, token);
    if (!child) break;
    at = *child;
  }
  return at;
}

std::string line_and_column(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const auto start = before.rfind('\n') + 1; // npos + 1 is 0
  const auto column = std::ranges::count_if(before.substr(start),
                                            [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return std::to_string(line) + ":" + std::to_string(column + 1);
}

} // namespace trellis::cli
