#include "settings/config_depth.h"

#include <algorithm>

namespace trellis {
namespace {

// Behind the end of a string with three quotes up to two more may have been its last characters.
std::size_t with_own_quotes(std::string_view text, std::size_t end, bool has_lines) {
  for (int i = 0; i < 2 && has_lines && end < text.size() && text[end] == text.front(); ++i)
    ++end;
  return end;
}

// Length of the string that `text` begins with, its quotes included: one of four kinds, of which two have three quotes.
std::size_t string_length(std::string_view text) {
  const char quote = text.front();
  const bool has_lines = text.size() >= 3 && text[1] == quote && text[2] == quote;
  const std::string_view end = text.substr(0, has_lines ? 3 : 1);
  for (std::size_t at = end.size(); at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"')
      ++at;
    else if (text.substr(at).starts_with(end))
      return with_own_quotes(text, at + end.size(), has_lines);
    else if (text[at] == '\n' && !has_lines)
      return at; // a mistake
  }
  return text.size();
}

} // namespace

std::size_t line_of_deep_key(std::string_view text, std::size_t most) {
  constexpr std::string_view kEndsKey = "=,[]{}\n";
  std::size_t line = 1, parts = 1; // parts so far of what may be a key; a number has two
  while (!text.empty()) {
    const char c = text.front();
    std::size_t size = 1;
    if (c == '"' || c == '\'') size = string_length(text);
    if (c == '#') size = std::min(text.find('\n'), text.size());
    if (c == '.' && ++parts > most) return line;
    if (kEndsKey.find(c) != std::string_view::npos) parts = 1;
    line += static_cast<std::size_t>(std::ranges::count(text.substr(0, size), '\n'));
    text.remove_prefix(size);
  }
  return 0;
}

} // namespace trellis
