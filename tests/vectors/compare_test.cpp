#include "compare.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <stdexcept>

using namespace trellis;
using namespace trellis::vectors;

namespace {

JsonDocument json(std::string_view text) {
  auto document = parse_json(text);
  if (!document) throw std::runtime_error(document.error().text());
  return std::move(*document);
}

// Where they differ first; "" when they are equal.
std::string differs_at(std::string_view expected, std::string_view actual, const Comparison &rules = {},
                       const Placeholders &placeholders = Placeholders()) {
  const auto found = first_difference(json(expected), json(actual), rules, placeholders);
  return found ? found->pointer : "";
}

const Comparison kSets = {.sets = {"grants"}};
const Comparison kSubset = {.subset = {"record"}};

} // namespace

TEST_CASE("objects compare by member in any order, and exactly") {
  CHECK(differs_at(R"({"a":1,"b":{"c":2}})", R"({"b":{"c":2},"a":1})").empty());
  CHECK(differs_at(R"({"a":1,"b":{"c":2}})", R"({"a":1,"b":{"c":3}})") == "/expected/b/c");
  CHECK(differs_at(R"({"a":1})", R"({"a":1,"x":2})") == "/expected/x");
  CHECK(differs_at(R"({"b":{}})", R"({"b":{"x":2}})") == "/expected/b/x");
  CHECK(differs_at(R"({"a":1,"b":2})", R"({"a":1})") == "/expected/b");
}

TEST_CASE("numbers compare by value, whatever their spelling") {
  CHECK(differs_at("[1, 1e2, 0]", "[1.0, 100, -0.0]").empty());
  CHECK(differs_at("[9007199254740993]", "[9007199254740992]") == "/expected/0");
  CHECK(differs_at("[1e400]", "[1e999]").empty());
  CHECK(differs_at("[1]", "[1.5]") == "/expected/0");
  CHECK(differs_at("[1]", R"(["1"])") == "/expected/0");
  CHECK(differs_at("[0]", "[false]") == "/expected/0");
}

TEST_CASE("null is a value, not absence") {
  CHECK(differs_at(R"({"a":null})", R"({"a":null})").empty());
  CHECK(differs_at(R"({"a":null})", "{}") == "/expected/a");
  CHECK(differs_at("{}", R"({"a":null})") == "/expected/a");
  CHECK(differs_at(R"({"a":null})", R"({"a":false})") == "/expected/a");
}

TEST_CASE("true and false are different") {
  CHECK(differs_at(R"({"a":true})", R"({"a":true})").empty());
  CHECK(differs_at(R"({"a":true})", R"({"a":false})") == "/expected/a");
}

TEST_CASE("strings compare exactly, and a long pair is shown where it parts") {
  CHECK(differs_at(R"(["é"])", R"(["é"])").empty());
  CHECK(differs_at(R"(["\u00e9"])", R"(["e\u0301"])") == "/expected/0");
  const std::string common(500, 'a');
  const auto found = first_difference(json("\"" + common + "left\""), json("\"" + common + "right\""), {});
  REQUIRE(found);
  CHECK(found->what.find("left") != std::string::npos);
  CHECK(found->what.find("right") != std::string::npos);
  CHECK(found->what.size() < 300);
}

TEST_CASE("arrays compare in order and length") {
  CHECK(differs_at("[1,2]", "[1,2]").empty());
  CHECK(differs_at("[1,2]", "[2,1]") == "/expected/0");
  CHECK(differs_at("[1,2]", "[1]") == "/expected/1");
  CHECK(differs_at("[1]", "[1,2]") == "/expected/1");
}

TEST_CASE("pointers escape the names of members") {
  CHECK(differs_at(R"({"a/b~c":1})", R"({"a/b~c":2})") == "/expected/a~1b~0c");
}

TEST_CASE("a set compares in any order, at any depth, counting its elements") {
  CHECK(differs_at(R"({"grants":["a","b"]})", R"({"grants":["b","a"]})", kSets).empty());
  CHECK(differs_at(R"({"x":[{"grants":["a","b"]}]})", R"({"x":[{"grants":["b","a"]}]})", kSets).empty());
  CHECK(differs_at(R"({"other":["a","b"]})", R"({"other":["b","a"]})", kSets) == "/expected/other/0");
  CHECK(differs_at(R"({"grants":["a","a","b"]})", R"({"grants":["a","b","b"]})", kSets) == "/expected/grants");
  CHECK(differs_at(R"({"grants":["a"]})", R"({"grants":["a","a"]})", kSets) == "/expected/grants");
  CHECK(differs_at(R"({"grants":["a","a"]})", R"({"grants":["a"]})", kSets) == "/expected/grants");
  CHECK(differs_at(R"({"grants":["a"]})", R"({"grants":"a"})", kSets) == "/expected/grants");
}

TEST_CASE("a set names the element that is too many") {
  const auto found = first_difference(json(R"({"grants":["a","b"]})"), json(R"({"grants":["b","c","a"]})"), kSets);
  REQUIRE(found);
  CHECK(found->what == R"(the set has "c" too many)");
}

TEST_CASE("elements of a set are assigned so that all placeholders fit") {
  constexpr std::string_view kUlids = R"({"grants":["01JJMB00000000000000000001","x"]})";
  CHECK(differs_at(R"({"grants":["<text>","x"]})", R"({"grants":["x","y"]})", kSets).empty());
  CHECK(differs_at(R"({"grants":["<text>","<ulid>"]})", kUlids, kSets).empty());
  CHECK(differs_at(R"({"grants":["<ulid>","<ulid>"]})", kUlids, kSets) == "/expected/grants");
}

TEST_CASE("a failed assignment within a set leaves no binding behind") {
  const auto actual = R"({"grants":["b.1","a.2"],"id":"2"})";
  CHECK(differs_at(R"({"grants":["a.<op1>","b.<op2>"],"id":"<op1>"})", actual, kSets).empty());
  CHECK(differs_at(R"({"grants":["a.<op1>","b.<op2>"],"id":"<op2>"})", actual, kSets) == "/expected/id");
}

TEST_CASE("a large set of open elements in another order is still assigned") {
  std::string wanted;
  std::string actual;
  for (int i = 100; i < 300; ++i) {
    wanted += (wanted.empty() ? "\"" : ",\"") + std::to_string(i) + ".<text>\"";
    actual = "\"" + std::to_string(i) + ".x\"" + (actual.empty() ? "" : ",") + actual;
  }
  CHECK(differs_at(R"({"grants":[)" + wanted + "]}", R"({"grants":[)" + actual + "]}", kSets).empty());
}

TEST_CASE("subset allows extra members at every depth of its member, and arrays stay exact") {
  CHECK(differs_at(R"({"record":{"a":[{"b":1}]}})", R"({"record":{"x":0,"a":[{"b":1,"y":0}]}})", kSubset).empty());
  CHECK(differs_at(R"({"record":{"a":[{"b":1}]}})", R"({"record":{"a":[{"y":0}]}})", kSubset) ==
        "/expected/record/a/0/b");
  CHECK(differs_at(R"({"record":{"a":[]}})", R"({"record":{"a":[1]}})", kSubset) == "/expected/record/a/0");
  CHECK(differs_at(R"({"other":{}})", R"({"other":{"x":0}})", kSubset) == "/expected/other/x");
  CHECK(differs_at(R"({"record":{}})", R"({"record":{},"x":0})", kSubset) == "/expected/x");
  CHECK(differs_at(R"({"other":{"record":{}}})", R"({"other":{"record":{"x":0}}})", kSubset) ==
        "/expected/other/record/x");
}

TEST_CASE("only_listed allows further members of the result at its top, nowhere else") {
  const Comparison listed = {.only_listed = true};
  CHECK(differs_at(R"({"a":{}})", R"({"a":{},"x":0})", listed).empty());
  CHECK(differs_at(R"({"a":{}})", R"({"a":{"x":0}})", listed) == "/expected/a/x");
  CHECK(differs_at(R"({"a":{},"b":1})", R"({"a":{}})", listed) == "/expected/b");
}

TEST_CASE("ignored members are not compared at the top, on neither side") {
  const Comparison rules = {.ignored = {"condition"}};
  CHECK(differs_at(R"({"a":1,"condition":"x"})", R"({"a":1})", rules).empty());
  CHECK(differs_at(R"({"a":1})", R"({"a":1,"condition":"x"})", rules).empty());
  CHECK(differs_at(R"({"a":{"condition":"x"}})", R"({"a":{}})", rules) == "/expected/a/condition");
}

TEST_CASE("causes that the vector doesn't mention are never compared") {
  CHECK(differs_at(R"({"context":{}})", R"({"context":{"causeMessage":"m","causeStack":"s"}})").empty());
  CHECK(differs_at(R"({"context":{"causeMessage":"<text>"}})", R"({"context":{}})") ==
        "/expected/context/causeMessage");
}

TEST_CASE("members that hold JSON text compare as values when the expected text is JSON") {
  const Comparison rules = {.json_texts = {"payload"}};
  CHECK(differs_at(R"({"payload":"{\"a\":1,\"b\":2}"})", R"({"payload":"{\"b\":2.0, \"a\":1}"})", rules).empty());
  CHECK(differs_at(R"([{"payload":"{\"a\":\"<ulid>\"}"}])", R"([{"payload":"{\"a\":\"x\"}"}])", rules) ==
        "/expected/0/payload/a");
  CHECK(differs_at(R"({"payload":"not json"})", R"({"payload":"not json"})", rules).empty());
  CHECK(differs_at(R"({"payload":"not json"})", R"({"payload":"not  json"})", rules) == "/expected/payload");
  CHECK(differs_at(R"({"payload":"{}"})", R"({"payload":"{"})", rules) == "/expected/payload");
  CHECK(differs_at(R"({"payload":"{}"})", R"({"payload":{}})", rules) == "/expected/payload");
  CHECK(differs_at(R"({"canonical":"{\"a\":1}"})", R"({"canonical":"{ \"a\":1}"})", rules) == "/expected/canonical");
}

TEST_CASE("a result may also equal the expectation with the members of one alternative") {
  constexpr std::string_view kExpected = R"({"a":1,"b":1,"alternatives":[{"b":2},{"a":3,"c":3}]})";
  CHECK(differs_at(kExpected, R"({"a":1,"b":1})").empty());
  CHECK(differs_at(kExpected, R"({"a":1,"b":2})").empty());
  CHECK(differs_at(kExpected, R"({"a":3,"b":1,"c":3})").empty());
  CHECK(differs_at(kExpected, R"({"a":3,"b":2,"c":3})") == "/expected/a");
  CHECK(differs_at(kExpected, R"({"a":1,"b":3})") == "/expected/b");
  CHECK(differs_at(R"({"a":1,"alternatives":{}})", R"({"a":1})") == "/expected/alternatives");
  CHECK(differs_at(R"({"a":1,"alternatives":[1]})", R"({"a":2})") == "/expected/alternatives");
}

TEST_CASE("an alternative begins without the bindings of the failed attempt") {
  constexpr std::string_view kExpected = R"({"id":"<op1>","b":1,"alternatives":[{"id":"x","b":"<op1>"}]})";
  CHECK(differs_at(kExpected, R"({"id":"x","b":"y"})").empty());
}
