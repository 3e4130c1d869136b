// What a program has logged, line by line: tests wait for lines that hold certain texts.
#pragma once

#include <cstddef>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::test {

// How many lines of `log` hold all of `texts`.
std::size_t count_lines(std::string_view log, const std::vector<std::string> &texts);
// The number of the first such line; 0 when there is none.
std::size_t first_line(std::string_view log, const std::vector<std::string> &texts);

// Declare it behind the folder of `log`: a test that ends by an exception, which a failed REQUIRE is too, takes the
// folder with it; this prints the end of the log before that.
class ShownOnFailure {
public:
  explicit ShownOnFailure(std::filesystem::path log) : log_(std::move(log)) {}
  ~ShownOnFailure();
  ShownOnFailure(const ShownOnFailure &) = delete;
  ShownOnFailure &operator=(const ShownOnFailure &) = delete;

private:
  const std::filesystem::path log_;
  const int exceptions_ = std::uncaught_exceptions();
};

} // namespace trellis::test
