// What a program has logged, line by line: tests wait for lines that hold certain texts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::test {

// How many lines of `log` hold all of `texts`.
std::size_t count_lines(std::string_view log, const std::vector<std::string> &texts);
// The number of the first such line; 0 when there is none.
std::size_t first_line(std::string_view log, const std::vector<std::string> &texts);

} // namespace trellis::test
