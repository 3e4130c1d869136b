#include "json_duplicates.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis::cli;
using Pointers = std::vector<std::string>;

TEST_CASE("repeated members are found at any depth, each once") {
  CHECK(duplicate_members(R"({"a":1,"b":{"a":1},"a":2,"a":3})", 10) == Pointers{"/a"});
  CHECK(duplicate_members(R"({"l":[{}, {"x/y":1,"x/y":{"z":1,"z":2}}]})", 10) == Pointers{"/l/1/x~1y", "/l/1/x~1y/z"});
  CHECK(duplicate_members(R"([{"a":1},{"a":1}])", 10).empty());
}

TEST_CASE("names are compared by what they mean") {
  CHECK(duplicate_members(R"({"a":1,"\u0061":2})", 10) == Pointers{"/a"});
  CHECK(duplicate_members(R"({"a":"a","b":"{\"a\":1,\"a\":2}"})", 10).empty());
}

TEST_CASE("no more are listed than asked for") {
  CHECK(duplicate_members(R"({"a":1,"a":2,"b":1,"b":2})", 1) == Pointers{"/a"});
}

TEST_CASE("text that isn't JSON is scanned without harm") {
  const std::string text = R"({"a":[1,{"b":"\"x"}],"a":2}]],,{)";
  for (std::size_t size = 0; size <= text.size(); ++size)
    CHECK(duplicate_members(text.substr(0, size), 10).size() <= 1);
}
