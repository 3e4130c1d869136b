#include "contracts/json.h"

#include "../../tests/support/comma_locale.h"
#include <catch2/catch_test_macros.hpp>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <rapidjson/document.h>
#include <unistd.h>

using namespace trellis;

TEST_CASE("the last duplicate member wins and keeps the place of the first") {
  const auto document = parse_json(R"({"a":1,"b":2,"a":3})");
  REQUIRE(document);
  CHECK(to_json(*document) == R"({"a":3,"b":2})");
}

TEST_CASE("members named like array indexes come first, in numeric order") {
  const auto document = parse_json(R"({"z":0,"10":1,"2":2,"01":3})");
  REQUIRE(document);
  CHECK(to_json(*document) == R"({"2":2,"10":1,"z":0,"01":3})");
}

TEST_CASE("a number beyond a double's range is infinity, not a parse error") {
  const auto document = parse_json("1e400");
  REQUIRE(document);
  CHECK(std::isinf(document->GetDouble()));

  const auto mixed = parse_json(R"([1, "1e999", -1e999, 1e308, {"1e400": 2e400}])");
  REQUIRE(mixed);
  CHECK(text_of((*mixed)[1]) == "1e999");
  CHECK((*mixed)[2].GetDouble() == -HUGE_VAL);
  CHECK((*mixed)[3].GetDouble() == 1e308);
  CHECK((*mixed)[4]["1e400"].GetDouble() == HUGE_VAL);
}

TEST_CASE("a number within a double's range is taken however it is spelled") {
  CHECK(parse_json("0e999")->GetDouble() == 0);
  CHECK(std::signbit(parse_json("-0.0e999")->GetDouble()));
  CHECK(parse_json("1" + std::string(400, '0') + "e-100")->GetDouble() == 1e300);
  CHECK(parse_json("1" + std::string(400, '0') + ".5e-399")->GetDouble() == 10);
  CHECK(parse_json("17976931348623157" + std::string(292, '0'))->GetDouble() == 1.7976931348623157e308);
  const auto beside = parse_json("[0e999, 9007199254740993, 1e999]");
  REQUIRE(beside);
  CHECK((*beside)[1].GetInt64() == 9007199254740993);
  CHECK((*beside)[2].GetDouble() == HUGE_VAL);
}

TEST_CASE("beside a number beyond range, malformed numbers are still refused") {
  for (const char *text : {"[1e999,01]", "[1e999,01e999]", "[1e999,1.e999]", "[1e999,1e]", "[1e999,-]", "[1e999,.5]"}) {
    INFO(text);
    CHECK(!parse_json(text));
  }
}

TEST_CASE("numbers have a point, whatever the locale of the process says") {
  const auto dir = std::filesystem::temp_directory_path() / ("json-test-" + std::to_string(::getpid()));
  test::write_comma_locale(dir);
  ::setenv("LOCPATH", dir.c_str(), 1);
  REQUIRE(std::setlocale(LC_NUMERIC, "comma") != nullptr);
  REQUIRE(std::strtod("1.5", nullptr) == 1);
  const auto document = parse_json("[1.5,2e-3]");
  const auto text = document ? to_json(*document) : std::string{};
  std::setlocale(LC_NUMERIC, "C");
  ::unsetenv("LOCPATH");
  std::filesystem::remove_all(dir);
  CHECK(text == "[1.5,0.002]");
}

TEST_CASE("negative zero stays negative zero, spelled as an integer or not") {
  CHECK(std::signbit(parse_json("-0")->GetDouble()));
  CHECK(std::signbit(parse_json("-1e-400")->GetDouble()));
}

TEST_CASE("200,000 nested arrays are an error, not a stack overflow") {
  const auto document = parse_json(std::string(200000, '['));
  REQUIRE(!document);
  CHECK(document.error().code == "json_too_deep");
}

TEST_CASE("nesting at the limit is accepted and one level more is not") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(512)));
  CHECK(!parse_json(nested(513)));
}

TEST_CASE("text of the largest allowed size is accepted and one byte more is not") {
  const JsonLimits limits{.max_bytes = 8};
  CHECK(parse_json("\"abcdef\"", limits));
  CHECK(parse_json("\"abcdefg\"", limits).error().code == "json_too_large");
}

TEST_CASE("a NUL byte isn't the end of a text") {
  for (const std::string_view text : {std::string_view("{}\0", 3), std::string_view("{}\0}", 4),
                                      std::string_view("{\0}", 3), std::string_view("\0", 1)}) {
    const auto parsed = parse_json(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == "json_invalid");
  }
}

TEST_CASE("an unpaired surrogate escape is kept as three bytes") {
  const auto document = parse_json(R"("a\ud83dz")");
  REQUIRE(document);
  CHECK(text_of(*document) == "a\xED\xA0\xBDz");
}

TEST_CASE("an escaped backslash before u is no surrogate escape") {
  CHECK(text_of(*parse_json(R"("\\ud83d")")) == "\\ud83d");
}

TEST_CASE("raw bytes that are not UTF-8 are refused with their position") {
  for (const char *text : {"\"\xFF\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xE2\x82\""}) {
    INFO(text);
    const auto document = parse_json(text);
    REQUIRE(!document);
    CHECK(document.error().where == "byte 1");
  }
}
