#include "contracts/canonical.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

std::string canon(std::string_view text) {
  return canonical_json(parse_json(text).value()).value();
}

} // namespace

TEST_CASE("numbers are written as ECMAScript prints them") {
  const auto written = [](std::string_view text, std::string_view expected) {
    INFO(text);
    CHECK(canon(text) == expected);
  };
  written("0", "0");
  written("1.0", "1");
  written("-1.50", "-1.5");
  written("100", "100");
  written("1e20", "100000000000000000000");
  written("1e21", "1e+21");
  written("123456789012345678901", "123456789012345680000");
  written("1.5e21", "1.5e+21");
  written("0.000001", "0.000001");
  written("1e-7", "1e-7");
  written("1.25e-7", "1.25e-7");
  written("0.0000015", "0.0000015");
  written("9007199254740993", "9007199254740992");
  written("18446744073709551615", "18446744073709552000");
  written("0.1", "0.1");
  written("5e-324", "5e-324");
  written("1.7976931348623157e308", "1.7976931348623157e+308");
  written("-123.456", "-123.456");
}

TEST_CASE("negative zero is an error for contracts and 0 for signatures") {
  const auto document = parse_json(R"({"a":[0,-0]})");
  const auto contract = canonical_json(*document);
  REQUIRE(!contract);
  CHECK(contract.error().code == "non_canonical_number");
  CHECK(contract.error().where == "/a/1");
  CHECK(canonical_json(*document, NegativeZero::zero).value() == R"({"a":[0,0]})");
}

TEST_CASE("an infinite number is an error in either mode") {
  const auto document = parse_json(R"({"x/y":{"n":1e400}})");
  REQUIRE(!canonical_json(*document));
  CHECK(canonical_json(*document).error().where == "/x~1y/n");
  CHECK(!canonical_json(*document, NegativeZero::zero));
}

TEST_CASE("strings escape only what rule 3 lists") {
  CHECK(canon(R"("\u0008\t\n\f\r\"\\\/\u0000\u001F\u007f")") == "\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0000\\u001f\x7f\"");
  CHECK(canon(R"("\u2028\ufeff\uffff")") == "\"\u2028\uFEFF\uFFFF\"");
}

TEST_CASE("unpaired surrogates are written as lower-case escapes, pairs as UTF-8") {
  CHECK(canon(R"("\uD83D\uDE00")") == "\"\U0001F600\"");
  CHECK(canon(R"("\uD83Dx\uDE00")") == R"("\ud83dx\ude00")");
  CHECK(canon(R"("\uDE00\uD83D")") == R"("\ude00\ud83d")");
  CHECK(canon("\"\\uD7FF\"") == "\"\uD7FF\"");
}

TEST_CASE("members sort by UTF-16 code units, not by bytes") {
  CHECK(canon("{\"\uE000\":1,\"\U0001F600\":2,\"\uFF5E\":3,\"a\":4}") ==
        "{\"a\":4,\"\U0001F600\":2,\"\uE000\":1,\"\uFF5E\":3}");
  CHECK(canon(R"({"10":1,"9":2,"":3,"1":4})") == R"({"":3,"1":4,"10":1,"9":2})");
}

TEST_CASE("a lone surrogate sorts before and after pairs by its unit") {
  const std::string lone_high = "\xED\xA0\xBD"; // D83D
  CHECK(utf16_less("\U0001F3FF", lone_high));   // D83C DFFF
  CHECK(utf16_less(lone_high, "\U0001F600"));   // D83D alone is a prefix of D83D DE00
  CHECK(utf16_less("\U0001F600", "\xED\xB0\x80"));
  CHECK(utf16_less("\xED\xB0\x80", "\uE000"));
}

TEST_CASE("the order of texts is strict") {
  const std::string texts[] = {"", "a", "ab", "b", "\u00e9", "\u00ea", "\U0001F600", "\U0001F601", "\uE000", "\uFF5E"};
  for (std::size_t i = 0; i < std::size(texts); ++i)
    for (std::size_t j = 0; j < std::size(texts); ++j) {
      INFO(i << " " << j);
      CHECK(utf16_less(texts[i], texts[j]) == (i < j));
    }
}

TEST_CASE("an object put together from texts equals the object written from a value") {
  CanonicalObject object;
  object.add_text("z", "\"");
  object.add_number("b", 1e21);
  object.add("a", canonical_array({"1", "[]"}));
  object.add_flag("c", true);
  CHECK(object.text() == canon(R"({"z":"\"","b":1e21,"a":[1,[]],"c":true})"));
  CHECK(CanonicalObject().text() == "{}");
  CHECK(canonical_array({}) == "[]");
}
