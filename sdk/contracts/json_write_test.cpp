#include "contracts/json_write.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

std::string unambiguous(std::string_view text) {
  return unambiguous_json(text, parse_json(text).value());
}
std::string rewritten(std::string_view text) {
  return to_json(parse_json(text).value());
}

} // namespace

TEST_CASE("a text without duplicate members stays as it is, white space and order included") {
  const std::string_view text = R"( { "b" : [1.50, "a:\"{}:", {"x":{}}], "a":"\ud800", "2":0, "1":0 } )";
  CHECK(unambiguous(text) == text);
}

TEST_CASE("a text with duplicate members is written with the last of each") {
  CHECK(unambiguous(R"({"a":1,"b":2,"a":3})") == R"({"a":3,"b":2})");
  CHECK(unambiguous(R"([{"k":{"a":1,"a":2}}])") == R"([{"k":{"a":2}}])");
  CHECK(unambiguous(R"({"a":{"x":1,"y":2},"a":{"z":1}})") == R"({"a":{"z":1}})");
  CHECK(unambiguous(R"({"a":1,"\u0061":2})") == R"({"a":2})");
}

TEST_CASE("written JSON is UTF-8 whatever was read") {
  CHECK(rewritten(R"(["\ud800","\ud83d\ude00","é"])") == "[\"\\ud800\",\"\xF0\x9F\x98\x80\",\"é\"]");
  CHECK(rewritten("[1e999,-1e999,1.0,0.5,-3,12345678901234567890]") == "[null,null,1,0.5,-3,12345678901234567000]");
  CHECK(rewritten(R"({"a":{},"b":[],"c":null,"d":true,"e":false})") ==
        R"({"a":{},"b":[],"c":null,"d":true,"e":false})");
}

TEST_CASE("bytes that are not UTF-8 are replaced in texts") {
  CHECK(utf8_text("a\xFFz") == "a\xEF\xBF\xBDz");
  CHECK(utf8_text("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(utf8_text("né") == "né");
  CHECK(is_utf8("né"));
  CHECK_FALSE(is_utf8("n\xC3"));
  CHECK(JsonObjectText().text("key", "\xC3(").str() == "{\"key\":\"\xEF\xBF\xBD(\"}");
}

TEST_CASE("an object's text holds its members in the order in which they were added") {
  const auto text = JsonObjectText()
                        .text("a", "\"\n")
                        .number("b", -7)
                        .flag("c", true)
                        .texts("d", {"x", "y"})
                        .texts("e", {})
                        .json("f", R"({"g":1})")
                        .str();
  CHECK(text == R"({"a":"\"\n","b":-7,"c":true,"d":["x","y"],"e":[],"f":{"g":1}})");
  CHECK(JsonObjectText().str() == "{}");
}
