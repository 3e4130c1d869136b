#include "qr_text.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace trellis::cli;

namespace {

// The modules that the text draws; true = dark.
std::vector<std::vector<bool>> modules(std::string_view text) {
  std::vector<std::vector<bool>> rows;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    std::vector<bool> upper, lower;
    while (!line.empty()) {
      const std::size_t size = line.front() == ' ' ? 1 : 3;
      const auto block = line.substr(0, size);
      upper.push_back(block == "█" || block == "▀");
      lower.push_back(block == "█" || block == "▄");
      line.remove_prefix(size);
    }
    rows.push_back(std::move(upper));
    rows.push_back(std::move(lower));
  }
  return rows;
}

// A finder pattern: 7 by 7 dark, within it a light ring, within that 3 by 3 dark.
bool is_finder(const std::vector<std::vector<bool>> &rows, std::size_t top, std::size_t left) {
  for (std::size_t y = 0; y < 7; ++y)
    for (std::size_t x = 0; x < 7; ++x) {
      const std::size_t edge = std::min({x, y, 6 - x, 6 - y});
      if (rows[top + y][left + x] != (edge != 1)) return false;
    }
  return true;
}

} // namespace

TEST_CASE("A QR code is square, without margin, and has its three finder patterns") {
  const auto text = qr_text("https://trellis.example.com/_trellis/portal/users/login?flowId=01J8ZQ0000000000000000000");
  REQUIRE(text);
  const auto rows = modules(*text);
  const std::size_t width = rows.front().size();
  CHECK((rows.size() == width || rows.size() == width + 1)); // an odd last row is half a line
  CHECK((width - 17) % 4 == 0);
  CHECK(is_finder(rows, 0, 0));
  CHECK(is_finder(rows, 0, width - 7));
  CHECK(is_finder(rows, width - 7, 0));
  CHECK(std::ranges::all_of(rows, [&](const auto &row) { return row.size() == width; }));
}

TEST_CASE("Other texts give other codes") {
  CHECK(qr_text("https://a.example/1").value() != qr_text("https://a.example/2").value());
}

TEST_CASE("What doesn't fit into a QR code has none") {
  CHECK(qr_text(std::string(4000, 'x')).error().code == "qr_too_long");
  CHECK(qr_text("").error().code == "qr_too_long");
}
