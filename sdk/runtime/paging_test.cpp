#include "runtime/paging.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

JsonDocument json(std::string_view text) {
  return parse_json(text).value();
}

std::string refused_offset(std::string_view query, std::int64_t max = 500) {
  const auto result = normalize_offset(json(query), max);
  return result ? "" : result.error().where;
}

std::string refused_cursor(std::string_view query) {
  const auto result = normalize_cursor(json(query));
  return result ? "" : result.error().where;
}

} // namespace

TEST_CASE("an offset query starts at 0 unless it says otherwise") {
  const auto first = normalize_offset(json(R"({"limit":10})"), 500);
  REQUIRE(first);
  CHECK(first->offset == 0);
  CHECK(first->limit == 10);
  CHECK(normalize_offset(json(R"({"limit":10.0,"offset":20})"), 500)->offset == 20);
  CHECK(normalize_offset(json(R"({"limit":501})"))->limit == 501);
}

TEST_CASE("an offset query out of range names the member") {
  CHECK(refused_offset("{}") == "/limit");
  CHECK(refused_offset(R"({"limit":501})") == "/limit");
  CHECK(refused_offset(R"({"limit":-1})") == "/limit");
  CHECK(refused_offset(R"({"limit":1.5})") == "/limit");
  CHECK(refused_offset(R"({"limit":"1"})") == "/limit");
  CHECK(refused_offset(R"({"limit":1e999})") == "/limit");
  CHECK(refused_offset(R"({"limit":1,"offset":-1})") == "/offset");
  CHECK(refused_offset(R"({"limit":1,"offset":9007199254740993})") == "/offset");
}

TEST_CASE("a cursor query has 100 rows unless it says otherwise") {
  CHECK(normalize_cursor(json("{}"))->limit == 100);
  CHECK_FALSE(normalize_cursor(json("{}"))->cursor);
  CHECK(normalize_cursor(json("{}"), 50)->limit == 50);
  CHECK(normalize_cursor(json(R"({"limit":500,"cursor":"c"})"))->cursor == "c");
}

TEST_CASE("a cursor query out of range names the member") {
  CHECK(refused_cursor(R"({"cursor":""})") == "/cursor");
  CHECK(refused_cursor(R"({"cursor":7})") == "/cursor");
  CHECK(refused_cursor(R"({"limit":501})") == "/limit");
  CHECK(refused_cursor(R"({"limit":-1})") == "/limit");
}

TEST_CASE("an offset page names the next offset only while rows are left") {
  CHECK(offset_page(R"(["a"])", 3, {1, 1}) == R"({"entries":["a"],"count":3,"offset":1,"limit":1,"nextOffset":2})");
  CHECK(offset_page(R"(["a"])", 2, {1, 1}) == R"({"entries":["a"],"count":2,"offset":1,"limit":1})");
  CHECK(offset_page("[]", 5, {0, 0}) == R"({"entries":[],"count":5,"offset":0,"limit":0})");
  CHECK(offset_page("[]", 5, {kNoLimitMaximum, kNoLimitMaximum}).find("nextOffset") == std::string::npos);
}

TEST_CASE("a cursor page always has a page member") {
  CHECK(cursor_page("[1]") == R"({"items":[1],"page":{}})");
  CHECK(cursor_page("[1]", "n\"") == R"({"items":[1],"page":{"nextCursor":"n\""}})");
  CHECK(cursor_page("[1]", "") == R"({"items":[1],"page":{}})");
}
