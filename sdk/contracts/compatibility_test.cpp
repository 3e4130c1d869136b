#include "contracts/compatibility.h"

#include "contracts/canonical.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

JsonDocument json(std::string_view text) {
  return std::move(parse_json(text).value());
}

// The merge as text, or "incompatible".
std::string merged(std::string_view left, std::string_view right) {
  const auto result = merge_schemas(json(left), json(right));
  return result ? canonical_json(*result).value() : result.error().code;
}

Manifest line(const std::string &members) {
  auto manifest = Manifest::parse(
      R"({"format":"trellis.contract.v1","id":"acme.line@v1","displayName":"L","description":"L","kind":"service",)" +
      members + "}");
  if (!manifest) FAIL(manifest.error().text());
  return std::move(*manifest);
}

std::string rpc(const std::string &name, const std::string &subject, const std::string &schema = "S",
                const std::string &more = "") {
  return "\"" + name + R"(":{"version":"v1","subject":")" + subject + R"(","input":{"schema":")" + schema +
         R"("},"output":{"schema":")" + schema + "\"}" + more + "}";
}

Error conflict(const std::vector<Manifest> &manifests) {
  const auto result = merge_lineage(manifests);
  REQUIRE(!result);
  return result.error();
}

} // namespace

TEST_CASE("equal schemas of any form merge to the left one") {
  CHECK(merged("true", "true") == "true");
  CHECK(merged(R"({"items":{},"type":"array"})", R"({"type":"array","items":{}})") == R"({"items":{},"type":"array"})");
  CHECK(merged(R"({"type":"object"})", R"({"type":"object"})") == R"({"type":"object"})");
  CHECK(merged(R"({"type":"object","required":["a","a"]})", R"({"type":"object","required":["a","a"]})") ==
        R"({"required":["a","a"],"type":"object"})");
  CHECK(merged(R"({"const":1})", R"({"const":1.0})") == R"({"const":1})");
}

TEST_CASE("open objects may differ in optional properties, at any depth through properties") {
  CHECK(merged(R"({"type":"object","properties":{"o":{"type":"object"}}})",
               R"({"type":"object","properties":{"o":{"type":"object","properties":{"a":true}},"b":{}}})") ==
        R"({"properties":{"b":{},"o":{"properties":{"a":true},"type":"object"}},"type":"object"})");
  CHECK(merged(R"({"type":"object","properties":{"l":{"items":{"type":"object"}}}})",
               R"({"type":"object","properties":{"l":{"items":{"type":"object","properties":{}}}}})") ==
        "incompatible");
}

TEST_CASE("a merge has the members of the left schema, and always properties") {
  CHECK(merged(R"({"type":"object","required":[]})", R"({"type":"object","additionalProperties":true})") ==
        R"({"properties":{},"required":[],"type":"object"})");
  CHECK(merged(R"({"type":"object","required":["a","b"],"properties":{"a":{},"b":{}}})",
               R"({"type":"object","required":["b","a"],"properties":{"a":{},"b":{}}})") ==
        R"({"properties":{"a":{},"b":{}},"required":["a","b"],"type":"object"})");
}

TEST_CASE("closed objects, required properties and other keywords refuse") {
  const std::string one = R"({"type":"object","properties":{"a":{}}})";
  CHECK(merged(one, R"({"type":"object","properties":{},"additionalProperties":false})") == "incompatible");
  CHECK(merged(one, R"({"type":"object","properties":{"a":{}},"required":["a"]})") == "incompatible");
  CHECK(merged(R"({"type":"object","properties":{"a":{}},"required":["a"]})",
               R"({"type":"object","required":["a"]})") == "incompatible");
  CHECK(merged(R"({"type":"object","required":["a"]})",
               R"({"type":"object","properties":{"a":{}},"required":["a"]})") == "incompatible");
  CHECK(merged(one, R"({"type":"object","title":"t"})") == "incompatible");
  CHECK(merged(one, R"({"type":["object"],"properties":{"a":{}}})") == "incompatible");
  CHECK(merged(one, "true") == "incompatible");
  CHECK(merged(one, R"({"type":"object","properties":[]})") == "incompatible");
}

TEST_CASE("a required name that neither side declares is no obstacle") {
  CHECK(merged(R"({"type":"object","required":["z"],"properties":{"a":{}}})",
               R"({"type":"object","required":["z"],"properties":{"b":{}}})") ==
        R"({"properties":{"a":{},"b":{}},"required":["z"],"type":"object"})");
}

TEST_CASE("a merged lineage has the union of all surfaces, the first occurrence's entry of each") {
  const auto result = merge_lineage(
      {line(R"("schemas":{"S":true},"rpc":{)" + rpc("A", "rpc.v1.A") + "}"),
       line(R"("schemas":{"S":true},"rpc":{)" + rpc("B", "rpc.v1.B") + "," + rpc("A", "rpc.v1.A") + "}")});
  REQUIRE(result);
  REQUIRE(result->rpc.size() == 2);
  CHECK(result->rpc[0].first == "A");
  CHECK(result->rpc[1].first == "B");
  CHECK(canonical_json(*result->schemas).value() == R"({"S":true})");
}

TEST_CASE("a subject belongs to one surface, within a manifest too") {
  const auto error =
      conflict({line(R"("schemas":{"S":true},"rpc":{)" + rpc("A", "s.{/x}") + "," + rpc("B", "s.{/y}") + "}")});
  CHECK(error.code == "subject_surface_conflict");
  CHECK(error.where == "/rpc/B/subject");
}

TEST_CASE("absent, empty and reordered lists are different fields") {
  const auto with = [](const std::string &more) {
    return line(R"("schemas":{"S":true},"rpc":{)" + rpc("A", "rpc.v1.A", "S", more) + "}");
  };
  CHECK(conflict({with(""), with(R"(,"errors":[])")}).detail("field") == "errors");
  CHECK(conflict({with(R"(,"capabilities":{"call":["a","b"]})"), with(R"(,"capabilities":{"call":["b","a"]})")})
            .detail("field") == "capabilities");
  CHECK(merge_lineage({with(R"(,"docs":{"markdown":"x"},"internal":true)"), with("")}));
}

TEST_CASE("a third contract is compared with each earlier one") {
  const auto with = [](const std::string &property, const std::string &type) {
    return line(R"("schemas":{"S":{"type":"object","properties":{")" + property + R"(":{"type":")" + type +
                R"("}}}},"rpc":{)" + rpc("A", "rpc.v1.A") + "}");
  };
  CHECK(merge_lineage({with("a", "string"), with("b", "string"), with("c", "string")}));
  const auto error = conflict({with("a", "string"), with("b", "string"), with("b", "number")});
  CHECK(error.code == "named_schema_incompatible");
  CHECK(error.detail("schema") == "S");
}

TEST_CASE("refs with other names merge under the earlier one's name") {
  const auto result = merge_lineage(
      {line(R"("schemas":{"S":{"type":"object"}},"rpc":{)" + rpc("A", "rpc.v1.A") + "}"),
       line(R"("schemas":{"T":{"type":"object","properties":{"x":{}}}},"rpc":{)" + rpc("A", "rpc.v1.A", "T") + "}")});
  REQUIRE(result);
  CHECK(canonical_json(*result->schemas).value() ==
        R"({"S":{"properties":{"x":{}},"type":"object"},"T":{"properties":{"x":{}},"type":"object"}})");
}

TEST_CASE("nesting at the limit merges without a stack overflow or a text per level") {
  std::string left = R"({"type":"string"})", right = left;
  for (int i = 0; i < 250; ++i) {
    left = R"({"type":"object","properties":{"p":)" + left + "}}";
    right = R"({"type":"object","properties":{"p":)" + right + R"(,"q":true}})";
  }
  CHECK(merge_schemas(json(left), json(right)));
}
