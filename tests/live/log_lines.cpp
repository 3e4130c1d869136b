#include "log_lines.h"

#include "support/temp_dir.h"

#include <algorithm>
#include <iostream>

namespace trellis::test {
namespace {

constexpr std::size_t kShownLines = 60, kShownWidth = 1000;

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

ShownOnFailure::~ShownOnFailure() {
  if (std::uncaught_exceptions() <= exceptions_) return;
  const auto log = read_file(log_);
  const auto lines = count_lines(log, {});
  std::cerr << "--- the end of " << log_.string() << ", " << lines << " lines\n";
  std::size_t number = 0;
  each_line(log, [&](std::string_view line) {
    if (++number + kShownLines > lines) std::cerr << line.substr(0, kShownWidth) << '\n';
    return true;
  });
  std::cerr << "---\n";
}

} // namespace trellis::test
