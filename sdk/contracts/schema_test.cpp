#include "contracts/schema.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <thread>
#include <vector>

using namespace trellis;

namespace {

JsonDocument json(std::string_view text) {
  auto document = parse_json(text);
  REQUIRE(document);
  return std::move(*document);
}

Schema compiled(std::string_view text) {
  auto schema = Schema::compile(json(text));
  REQUIRE(schema);
  return std::move(*schema);
}

// The paths of the issues, a space between them; "" for a valid value.
std::string paths(std::string_view schema, std::string_view value, std::size_t max = kMaxSchemaIssues) {
  const auto document = json(value);
  const auto program = compiled(schema);
  std::string out;
  for (const auto &issue : program.check(document, max))
    out += (out.empty() ? "" : " ") + issue.path;
  CHECK(program.valid(document) == out.empty());
  return out;
}

Error refused(std::string_view schema) {
  const auto result = Schema::compile(json(schema));
  REQUIRE(!result);
  return result.error();
}

} // namespace

// ---------------------------------------------------------------- issues: paths and order (06 §1.2)

TEST_CASE("a missing property is an issue of its object, before those of the properties") {
  constexpr auto kSchema = R"({"type":"object","required":["accountId","cents"],"properties":{
    "accountId":{"type":"string","minLength":1},"cents":{"type":"integer","minimum":1}}})";
  CHECK(paths(kSchema, R"({"accountId":"a","cents":1})") == "");
  CHECK(paths(kSchema, R"({"accountId":1})") == "# #/properties/accountId");
  CHECK(paths(kSchema, R"({"accountId":"","cents":0})") == "#/properties/accountId #/properties/cents");
}

TEST_CASE("all missing properties are one issue, which names them") {
  const auto issues = compiled(R"({"required":["a","b","c"]})").check(json(R"({"b":1})"));
  REQUIRE(issues.size() == 1);
  CHECK(issues[0].path == "#");
  CHECK(issues[0].message == "must have a, c");
}

TEST_CASE("the order of issues is that of the schema's properties, not of the value's members") {
  constexpr auto kSchema = R"({"properties":{"offset":{"minimum":0},"limit":{"minimum":0}}})";
  CHECK(paths(kSchema, R"({"limit":-1,"offset":-2})") == "#/properties/offset #/properties/limit");
}

TEST_CASE("a wrong kind is one issue, without the rules of other kinds") {
  constexpr auto kSchema = R"({"type":"object","required":["a"],"minItems":5,"minLength":5,"minimum":5})";
  CHECK(paths(kSchema, "[1,2,3,4,5]") == "#");
  CHECK(paths(kSchema, "null") == "#");
}

TEST_CASE("a refused additional property is an issue of additionalProperties and one of its object") {
  constexpr auto kSchema = R"({"required":["a"],"properties":{"a":{"type":"string"}},"additionalProperties":false})";
  CHECK(paths(kSchema, R"({"a":"x","b":1})") == "#/additionalProperties #");
  CHECK(paths(kSchema, R"({"a":1,"b":1,"c":1})") == "#/additionalProperties #/additionalProperties # #/properties/a");
  CHECK(paths(R"({"additionalProperties":{"properties":{"x":{"type":"null"}}}})", R"({"b":{"x":1}})") ==
        "#/additionalProperties/properties/x #");
}

TEST_CASE("anyOf is the issues of every branch, then one of its holder") {
  CHECK(paths(R"({"properties":{"s":{"anyOf":[{"const":"a"},{"const":"b"}]}}})", R"({"s":"c"})") ==
        "#/properties/s/anyOf/0 #/properties/s/anyOf/1 #/properties/s");
  CHECK(paths(R"({"anyOf":[{"required":["id"],"properties":{"kind":{"const":"app"}}},
                           {"properties":{"kind":{"const":"device"}}}]})",
              R"({"kind":"other"})") == "#/anyOf/0 #/anyOf/0/properties/kind #/anyOf/1/properties/kind #");
}

TEST_CASE("oneOf has issues of its branches only when none of them passes") {
  constexpr auto kSchema = R"({"oneOf":[{"minimum":5},{"type":"string"},{"maximum":9}]})";
  CHECK(paths(kSchema, "null") == "#");
  CHECK(paths(R"({"oneOf":[{"type":"string"},{"type":"null"}]})", "1") == "#/oneOf/0 #/oneOf/1 #");
  CHECK(paths(kSchema, "\"text\"") == "#");
}

TEST_CASE("allOf has the issues of its branches and none of its own") {
  CHECK(paths(R"({"allOf":[{"minimum":5},{"maximum":0},{"type":"number"}]})", "3") == "#/allOf/0 #/allOf/1");
}

TEST_CASE("not, const and enum are one issue each") {
  CHECK(paths(R"({"not":{"type":"integer"}})", "1") == "#");
  CHECK(paths(R"({"const":{"a":[1,2]}})", R"({"a":[1,3]})") == "#");
  CHECK(paths(R"({"enum":[1,"a",null]})", "2") == "#");
}

TEST_CASE("what then refuses is one issue, what else refuses comes with its own") {
  constexpr auto kSchema = R"({"if":{"type":"string"},"then":{"minLength":2},"else":{"minimum":2}})";
  CHECK(paths(kSchema, "\"a\"") == "#");
  CHECK(paths(kSchema, "1") == "#/else #");
  CHECK(paths(kSchema, "2") == "");
}

TEST_CASE("items are issues of the items' schema, one for each item that fails") {
  CHECK(paths(R"({"properties":{"l":{"items":{"properties":{"k":{"anyOf":[{"type":"null"}]}}}}}})",
              R"({"l":[{"k":1}]})") == "#/properties/l/items/properties/k/anyOf/0 #/properties/l/items/properties/k");
  CHECK(paths(R"({"items":{"type":"string"}})", R"([1,"a",2])") == "#/items #/items");
  CHECK(paths(R"({"items":[{"type":"string"},true],"additionalItems":{"type":"null"}})", "[1,2,3,4]") ==
        "#/additionalItems #/items/0");
  CHECK(paths(R"({"prefixItems":[{"type":"string"}],"items":{"type":"null"}})", "[1,2]") == "#/items #/prefixItems/0");
}

TEST_CASE("contains, counts of items and equal items are issues of the array") {
  CHECK(paths(R"({"contains":{"const":1},"minContains":2})", "[0]") == "# #");
  CHECK(paths(R"({"contains":{"const":1},"maxContains":1})", "[1,1]") == "#");
  CHECK(paths(R"({"minItems":2,"uniqueItems":true})", "[1]") == "#");
  CHECK(paths(R"({"maxItems":2,"uniqueItems":true})", "[1,2,1]") == "# #");
}

TEST_CASE("rules about names: patterns, property names, dependencies") {
  CHECK(paths(R"({"patternProperties":{"^.*$":{"minLength":1}}})", R"({"name":""})") == "#/patternProperties/^.*$");
  CHECK(paths(R"({"propertyNames":{"maxLength":1}})", R"({"ab":1,"c":1,"de":1})") ==
        "#/propertyNames #/propertyNames #");
  CHECK(paths(R"({"dependentRequired":{"a":["b","c"]}})", R"({"a":1})") == "# #");
  CHECK(paths(R"({"dependentSchemas":{"a":{"minProperties":2}}})", R"({"a":1})") == "#/dependentSchemas/a");
  CHECK(paths(R"({"dependencies":{"a":["b","c"],"d":{"required":["e"]}}})", R"({"a":1,"d":1})") ==
        "# #/dependencies/d");
}

TEST_CASE("names in paths are escaped like in a JSON pointer") {
  CHECK(paths(R"({"properties":{"a/b~c":{"type":"string"}}})", R"({"a/b~c":1})") == "#/properties/a~1b~0c");
}

TEST_CASE("what no schema describes is one issue, whatever it is") {
  CHECK(paths(R"({"properties":{"a":true},"unevaluatedProperties":false})", R"({"a":1,"b":1,"c":1})") == "#");
  CHECK(paths(R"({"items":[true],"unevaluatedItems":{"type":"null"}})", "[1,2,3]") == "#");
  CHECK(paths(R"({"anyOf":[{"properties":{"a":true}}],"unevaluatedProperties":false})", R"({"a":1})") == "");
  CHECK(paths(R"({"not":{"not":{"properties":{"a":true}}},"unevaluatedProperties":false})", R"({"a":1})") == "#");
}

TEST_CASE("unevaluatedItems and unevaluatedProperties apply to their own kind only") {
  CHECK(paths(R"({"unevaluatedProperties":false})", "[1]") == "");
  CHECK(paths(R"({"unevaluatedItems":false})", R"({"a":1})") == "");
}

TEST_CASE("objects and arrays larger than the scratch on the stack are tracked too") {
  std::string properties;
  std::string members;
  std::string items = "0";
  for (int i = 0; i < 300; ++i) {
    const auto name = "\"p" + std::to_string(i) + "\":";
    properties += (i == 0 ? "" : ",") + name + "{\"type\":\"integer\"}";
    members += (i == 0 ? "" : ",") + name + std::to_string(i);
    items += ",0";
  }
  const auto schema = "{\"allOf\":[{\"properties\":{" + properties + "}}],\"unevaluatedProperties\":false}";
  CHECK(paths(schema, "{" + members + "}") == "");
  CHECK(paths(schema, "{" + members + ",\"x\":1}") == "#");
  CHECK(paths(R"({"anyOf":[{"items":{"type":"integer"}}],"unevaluatedItems":false})", "[" + items + "]") == "");
}

TEST_CASE("at most the asked number of issues is listed") {
  constexpr auto kSchema = R"({"items":{"type":"string"}})";
  CHECK(compiled(kSchema).check(json("[1,2,3,4,5,6,7,8,9,10]")).size() == kMaxSchemaIssues);
  CHECK(paths(kSchema, "[1,2,3]", 2) == "#/items #/items");
  CHECK(paths(kSchema, "[1,2,3]", 0) == "#/items"); // an empty list would say that the value is valid
}

TEST_CASE("a branch that fails with many issues doesn't hide that another one passes") {
  CHECK(paths(R"({"anyOf":[{"items":{"type":"string"}},{"items":{"type":"integer"}}],"minItems":9})", "[1,2,3]", 1) ==
        "#");
}

// ---------------------------------------------------------------- the rules of 01 §4.2

TEST_CASE("a malformed keyword is as good as absent") {
  CHECK(paths(R"({"minLength":"3","maxLength":null,"type":5,"enum":"a"})", "\"ab\"") == "");
  CHECK(paths(R"({"required":["a",1],"properties":[],"additionalProperties":0})", R"({"b":1})") == "");
  CHECK(paths(R"({"properties":{"a":{"type":"string"},"b":1}})", R"({"a":1})") == "");
  CHECK(paths(R"({"anyOf":[{"type":"string"},0],"not":[],"items":[1],"format":1,"pattern":1})", "[1]") == "");
  CHECK(paths(R"({"patternProperties":{"(":1}})", R"({"a":1})") == "");
}

TEST_CASE("an unknown type name accepts everything, an empty list of types nothing") {
  CHECK(paths(R"({"type":"decimal"})", "1") == "");
  CHECK(paths(R"({"type":["decimal","null"]})", "1") == "");
  CHECK(paths(R"({"type":[]})", "1") == "#");
}

TEST_CASE("an integer is any finite number without a fraction") {
  CHECK(paths(R"({"type":"integer"})", "1.0") == "");
  CHECK(paths(R"({"type":"integer"})", "1e300") == "");
  CHECK(paths(R"({"type":"integer"})", "1.5") == "#");
  CHECK(paths(R"({"type":"integer"})", "1e400") == "#");
  CHECK(paths(R"({"type":"number","maximum":1})", "1e400") == "#");
}

TEST_CASE("lengths count code points") {
  CHECK(paths(R"({"maxLength":1})", "\"\U0001F600\"") == "");
  CHECK(paths(R"({"minLength":2})", "\"e\u0301\"") == "");
  CHECK(paths(R"({"maxLength":1})", R"("\ud800")") == "");
}

TEST_CASE("a multiple may miss by a remainder of 1e-10") {
  CHECK(paths(R"({"multipleOf":0.01})", "19.99") == "");
  CHECK(paths(R"({"multipleOf":0.0001})", "0.0075") == "");
  CHECK(paths(R"({"multipleOf":0.01})", "19.995") == "#");
  CHECK(paths(R"({"multipleOf":0.5})", "1e308") == "");
  CHECK(paths(R"({"multipleOf":0})", "1") == "#");
}

TEST_CASE("values compare by value: numbers as doubles, members in any order") {
  CHECK(paths(R"({"const":1})", "1.0") == "");
  CHECK(paths(R"({"const":0})", "-0.0") == "");
  CHECK(paths(R"({"const":{"a":1,"b":[2]}})", R"({"b":[2.0],"a":1})") == "");
  CHECK(paths(R"({"const":false})", "0") == "#");
  CHECK(paths(R"({"uniqueItems":true})", R"([{"a":1,"b":2},{"b":2,"a":1}])") == "#");
  CHECK(paths(R"({"uniqueItems":true})", R"([1,true,"1",[1],{"a":1},null,false,0])") == "");
}

TEST_CASE("items and members compare the same in large arrays and objects") {
  std::string members;
  std::string reversed;
  std::string items;
  for (int i = 0; i < 100; ++i) {
    const auto member = "\"m" + std::to_string(i) + "\":[" + std::to_string(i) + "]";
    members += (i == 0 ? "" : ",") + member;
    reversed = member + (i == 0 ? "" : ",") + reversed;
    items += "{\"a\":" + std::to_string(i) + ",\"b\":\"x\"},";
  }
  CHECK(paths("{\"const\":{" + members + "}}", "{" + reversed + "}") == "");
  CHECK(paths(R"({"uniqueItems":true})", "[" + items + R"({"b":"x","a":100}])") == "");
  CHECK(paths(R"({"uniqueItems":true})", "[" + items + R"({"b":"x","a":42.0}])") == "#");
}

TEST_CASE("boolean schemas accept everything or nothing") {
  CHECK(paths("true", "1") == "");
  CHECK(paths("{}", "1") == "");
  CHECK(paths("false", "1") == "#");
  CHECK(paths(R"({"properties":{"a":false}})", R"({"a":1})") == "#/properties/a");
}

// ---------------------------------------------------------------- compiling

TEST_CASE("what is neither an object nor a boolean is not a schema") {
  CHECK(refused("[]").code == "schema_kind");
  CHECK(refused("\"x\"").code == "schema_kind");
}

TEST_CASE("a pattern that isn't one is named by its place") {
  const auto error = refused(R"({"properties":{"a/b":{"items":{"pattern":"(a"}}}})");
  CHECK(error.code == "schema_pattern");
  CHECK(error.where == "/properties/a~1b/items/pattern");
  CHECK(refused(R"({"anyOf":[true,{"patternProperties":{"[":true}}]})").where == "/anyOf/1/patternProperties/[");
}

TEST_CASE("a schema owns what it needs of the document it came from") {
  auto document = json(R"({"required":["a-name-that-is-longer-than-a-short-string"],"const":{"k":"text"}})");
  const auto schema = Schema::compile(document);
  document = json("null");
  CHECK(schema->check(json("{}")).size() == 2);
}

TEST_CASE("schemas and values as deep as a document may be are walked") {
  std::string schema = "true";
  std::string value = "1";
  for (int i = 0; i < 255; ++i) {
    schema = R"({"properties":{"a":)" + schema + "}}";
    value = "{\"a\":" + value + "}";
  }
  CHECK(paths(schema, value) == "");
  std::string unevaluated = R"({"type":"string"})";
  for (int i = 0; i < 250; ++i)
    unevaluated = "{\"allOf\":[" + unevaluated + "],\"unevaluatedProperties\":false}";
  CHECK(paths(unevaluated, "{}").ends_with("/allOf/0"));
}

TEST_CASE("threads may share one schema") {
  const auto schema = compiled(R"({"required":["id"],"properties":{"id":{"pattern":"^[a-z]+(-[a-z]+)*$"},
    "tags":{"uniqueItems":true,"items":{"format":"idn-hostname"}}},"unevaluatedProperties":false})");
  const auto good = json(R"({"id":"one-two","tags":["a.b","\u00e4.c"]})");
  const auto bad = json(R"({"id":"One","tags":["a","a"],"x":1})");
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round)
        wrong += (schema.valid(good) ? 0 : 1) + (schema.check(bad).size() == 3 ? 0 : 1);
    });
  threads.clear();
  CHECK(wrong == 0);
}
