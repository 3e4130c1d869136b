#include "log_lines.h"

#include <algorithm>

namespace trellis::test {
namespace {

// Calls fn(line) until it returns false.
template <class Fn>
void each_line(std::string_view log, Fn fn) {
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    if (!fn(log.substr(0, end))) return;
    log.remove_prefix(std::min(end + 1, log.size()));
  }
}

bool holds_all(std::string_view line, const std::vector<std::string> &texts) {
  return std::ranges::all_of(texts, [&](const std::string &text) { return line.find(text) != std::string_view::npos; });
}

} // namespace

std::size_t count_lines(std::string_view log, const std::vector<std::string> &texts) {
  std::size_t count = 0;
  each_line(log, [&](std::string_view line) {
    count += holds_all(line, texts) ? 1U : 0U;
    return true;
  });
  return count;
}

std::size_t first_line(std::string_view log, const std::vector<std::string> &texts) {
  std::size_t number = 0;
  bool found = false;
  each_line(log, [&](std::string_view line) {
    ++number;
    found = holds_all(line, texts);
    return !found;
  });
  return found ? number : 0;
}

} // namespace trellis::test
