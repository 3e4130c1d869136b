#include "output.h"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

using namespace trellis;
using namespace trellis::cli;

namespace {

Report example() {
  Report report("done");
  report.text("name", "a \"b\"")
      .number("count", 3)
      .flag("open", false)
      .list("names", {"x", "äöü"})
      .table("pairs", {{"left", "right"}, {{"1", "2"}}})
      .json_list("all", {"y"})
      .text_only("all", "1 (hidden)");
  return report;
}

} // namespace

TEST_CASE("a report as text has an ok line, values and tables") {
  CHECK(example().to_text(false) == "ok done\n"
                                    "name=a \"b\"\n"
                                    "count=3\n"
                                    "open=false\n"
                                    "┌───────┐\n"
                                    "│ names │\n"
                                    "├───────┤\n"
                                    "│ x     │\n"
                                    "│ äöü   │\n"
                                    "└───────┘\n"
                                    "pairs\n"
                                    "┌──────┬───────┐\n"
                                    "│ left │ right │\n"
                                    "├──────┼───────┤\n"
                                    "│ 1    │ 2     │\n"
                                    "└──────┴───────┘\n"
                                    "all=1 (hidden)\n");
}

TEST_CASE("a report as JSON is one object") {
  CHECK(example().to_json() == R"({
  "name": "a \"b\"",
  "count": 3,
  "open": false,
  "names": [
    "x",
    "äöü"
  ],
  "pairs": [
    {
      "left": "1",
      "right": "2"
    }
  ],
  "all": [
    "y"
  ]
}
)");
}

TEST_CASE("only ok is coloured, and only when asked") {
  CHECK(Report("x").to_text(true) == "\x1b[1;32mok\x1b[0m x\n");
  CHECK(Report("x").to_text(false) == "ok x\n");
}

TEST_CASE("empty lists say so") {
  CHECK(Report().list("a", {}).table("b", {{"c"}, {}}).to_text(false) == "a=none\nb=none\n");
  CHECK(Report().to_text(false).empty());
}

TEST_CASE("text from a hostile file doesn't reach the terminal as commands") {
  const auto text = Report("\x1b[2J").text("a", "b\rc\x1b").list("d", {"e\x07\nf"}).to_text(false);
  CHECK(text.find_first_of("\x1b\r\x07") == std::string::npos);
  CHECK(text.find("e? f") != std::string::npos); // and no row breaks its table
}

TEST_CASE("errors are text even when results are JSON") {
  std::ostringstream out, err;
  Output output(out, err, Output::Format::json, false, 0);
  CHECK(output.fail({"code", "file:3", "is wrong", "right", {}}) == 1);
  CHECK(out.str().empty());
  CHECK(err.str() == "error: file:3: is wrong (expected right)\n");
}
