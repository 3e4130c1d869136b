#include "jsonc.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// The end of the string that begins at `at` (its quote); behind the text when it has no end.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

// The end of the comment that begins at `at`; npos when there is none, or it doesn't end.
std::size_t comment_end(std::string_view text, std::size_t at) {
  const auto rest = text.substr(at);
  if (rest.starts_with("//")) return std::min(text.find_first_of("\r\n", at), text.size());
  if (!rest.starts_with("/*")) return std::string_view::npos;
  const auto end = text.find("*/", at + 2);
  return end == std::string_view::npos ? end : end + 2;
}

void blank(std::string &text, std::size_t from, std::size_t to) {
  for (auto at = from; at < to; ++at)
    if (text[at] != '\n' && text[at] != '\r') text[at] = ' ';
}

std::string line_and_column(std::string_view text, std::size_t at) {
  const auto before = text.substr(0, std::min(at, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto start = before.rfind('\n');
  const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return std::to_string(line) + ":" + std::to_string(column);
}

// Of parse_json's "byte N".
std::size_t byte_of(std::string_view where) {
  std::size_t out = 0;
  if (!where.starts_with("byte ")) return 0;
  std::from_chars(where.data() + 5, where.data() + where.size(), out);
  return out;
}

} // namespace

std::string plain_json(std::string_view jsonc) {
  std::string out(jsonc);
  std::optional<std::size_t> comma; // the last thing that was no space, when it was a comma behind a value
  char before = '[';                // what came before it: a comma after an opening bracket is no trailing one
  for (std::size_t at = 0; at < out.size();) {
    if (const auto end = comment_end(out, at); end != std::string::npos) {
      blank(out, at, end);
      at = end;
      continue;
    }
    const char c = out[at];
    if (kSpace.find(c) != std::string_view::npos) {
      ++at;
      continue;
    }
    if ((c == ']' || c == '}') && comma) out[*comma] = ' ';
    const bool after_value = before != '[' && before != '{' && before != ',' && before != ':';
    comma = c == ',' && after_value ? std::optional(at) : std::nullopt;
    before = c;
    at = c == '"' ? string_end(out, at) : at + 1;
  }
  return out;
}

Result<JsonDocument> parse_jsonc(std::string_view text) {
  const auto plain = plain_json(text);
  if (plain.find_first_not_of(kSpace) == std::string::npos)
    return fail("invalid_config", "1:1", "the file is empty", "a JSON object");
  auto document = parse_json(plain);
  if (document) return document;
  return fail("invalid_config", line_and_column(text, byte_of(document.error().where)), document.error().message,
              "JSON, with comments and trailing commas allowed");
}

} // namespace trellis::auth
