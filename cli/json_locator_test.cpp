#include "json_locator.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis::cli;

namespace {

constexpr std::string_view kText = R"({
  "a": {"b": [10, {"c": "x,]}"}, []]},
  "e/~f": true,
  "twice": 1,
  "twice": 2,
  "sp\u0061n": "ä", "last": null
})";

std::string place(std::string_view pointer) {
  return line_and_column(kText, locate_json(kText, pointer));
}

} // namespace

TEST_CASE("a pointer leads to its value") {
  CHECK(place("") == "1:1");
  CHECK(place("/a") == "2:8");
  CHECK(place("/a/b") == "2:14");
  CHECK(place("/a/b/0") == "2:15");
  CHECK(place("/a/b/1/c") == "2:25");
  CHECK(place("/a/b/2") == "2:34");
  CHECK(place("/e~1~0f") == "3:11");
  CHECK(place("/span") == "6:16");
  CHECK(place("/last") == "6:29"); // columns count characters, not bytes
}

TEST_CASE("of repeated members the last one counts") {
  CHECK(place("/twice") == "5:12");
}

TEST_CASE("what isn't there leads to its nearest ancestor") {
  CHECK(place("/a/b/7") == "2:14");
  CHECK(place("/a/b/x") == "2:14");
  CHECK(place("/a/x/y") == "2:8");
  CHECK(place("/a/b/0/z") == "2:15");
  CHECK(place("/nothing") == "1:1");
  CHECK(place("no pointer") == "1:1");
}

TEST_CASE("text that isn't JSON leads somewhere inside it") {
  for (std::size_t size = 0; size <= kText.size(); ++size) {
    const auto part = std::string(kText.substr(0, size)); // its end is where a sanitizer watches
    CHECK(locate_json(part, "/a/b/1/c") <= part.size());
    CHECK(locate_json(part, "/last") <= part.size());
  }
  CHECK(locate_json("\"\\", "/a") <= 2);
}
