#include "contracts/catalog.h"
#include "contracts/json.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

Manifest parsed(const std::string &id, const std::string &members) {
  auto manifest = Manifest::parse(R"({"format":"trellis.contract.v1","id":")" + id +
                                  R"(","displayName":"D","description":"D.","kind":"service",)" + members + "}");
  if (!manifest) FAIL(manifest.error().text());
  return std::move(*manifest);
}

// A method `name` of contract `id`, with an input of `type`.
Manifest provider(const std::string &id, const std::string &name, const std::string &type = "string") {
  return parsed(id, R"("schemas":{"I":{"type":")" + type + R"("},"O":true},"rpc":{")" + name +
                        R"(":{"version":"v1","subject":"rpc.v1.)" + name +
                        R"(","input":{"schema":"I"},"output":{"schema":"O"}}})");
}

Manifest user_of(const std::string &id, const std::string &used, const std::string &name) {
  return parsed(id, R"("uses":{"required":{"u":{"contract":")" + used + R"(","rpc":{"call":[")" + name + R"("]}}}})");
}

CatalogCandidate offered(const Manifest &manifest, const std::string &deployment, const std::string &since) {
  return {manifest.id(), manifest.digest(), manifest, false, false, {{deployment, since}}};
}
CatalogCandidate builtin(const Manifest &manifest) {
  return {manifest.id(), manifest.digest(), manifest, false, true, {}};
}

std::vector<std::string> digests(const EffectiveCatalog &catalog) {
  std::vector<std::string> out;
  for (const auto &contract : catalog.contracts)
    out.push_back(contract.digest());
  return out;
}

const auto kA = provider("a@v1", "A.Get");
const auto kBadA = provider("a@v1", "A.Get", "number");

} // namespace

TEST_CASE("contracts come by id, then digest") {
  const auto more = provider("a@v1", "A.Put");
  const auto catalog = effective_catalog(
      {offered(provider("b@v1", "B.Get"), "d1", "1"), offered(kA, "d1", "1"), offered(more, "d2", "2")});
  REQUIRE(catalog.contracts.size() == 3);
  CHECK(catalog.contracts[0].id() == "a@v1");
  CHECK(catalog.contracts[1].id() == "a@v1");
  CHECK(catalog.contracts[0].digest() < catalog.contracts[1].digest());
  CHECK(catalog.contracts[2].id() == "b@v1");
  CHECK(catalog.issues.empty());
}

TEST_CASE("of incompatible contracts the one that was offered first stays") {
  const auto catalog = effective_catalog({offered(kBadA, "d2", "2026-01-02"), offered(kA, "d1", "2026-01-01")});
  CHECK(digests(catalog) == std::vector{kA.digest()});
  REQUIRE(catalog.issues.size() == 1);
  const auto &issue = catalog.issues[0];
  CHECK(issue.kind == "incompatible-active-contract");
  CHECK(issue.contract_id == "a@v1");
  CHECK(issue.digest == kBadA.digest());
  CHECK(issue.deployment_ids == std::vector<std::string>{"d2"});
  CHECK(issue.effective_digests == std::vector{kA.digest()});
  CHECK(issue.effective_deployment_ids == std::vector<std::string>{"d1"});
  CHECK(issue.issue_id ==
        "incompatible-active-contract:a@v1:" + kBadA.digest() + ":" + kA.digest() + ":" + kBadA.digest());
  CHECK(catalog.issue(issue.issue_id) == &issue);
  CHECK_FALSE(catalog.issue("x"));
}

TEST_CASE("an incompatible contract offers to keep what is active, or to replace it") {
  const auto catalog = effective_catalog({offered(kA, "d1", "1"), offered(kBadA, "d2", "2")});
  const auto &actions = catalog.issues.at(0).actions;
  REQUIRE(actions.size() == 2);
  CHECK(actions[0].action == "keep-current");
  CHECK(actions[0].risk == "recommended");
  CHECK(actions[0].deployment_ids == std::vector<std::string>{"d2"});
  CHECK(actions[0].digests == std::vector{kBadA.digest()});
  CHECK(actions[1].action == "force-replace");
  CHECK(actions[1].risk == "dangerous");
  CHECK(actions[1].deployment_ids == std::vector<std::string>{"d1"});
  CHECK(actions[1].digests == std::vector{kA.digest()});
}

TEST_CASE("the earliest of several offers decides, and the digest decides between equal times") {
  auto early = offered(kA, "d1", "3");
  early.offers.push_back({"d3", "1"});
  CHECK(digests(effective_catalog({early, offered(kBadA, "d2", "2")})) == std::vector{kA.digest()});

  const auto first = std::min(kA.digest(), kBadA.digest());
  CHECK(digests(effective_catalog({offered(kA, "d1", "1"), offered(kBadA, "d2", "1")})) == std::vector{first});
}

TEST_CASE("what is built in comes before every offer") {
  const auto catalog = effective_catalog({offered(kBadA, "d1", "1"), builtin(kA)});
  CHECK(digests(catalog) == std::vector{kA.digest()});
  CHECK(catalog.issues.at(0).effective_deployment_ids.empty());
}

TEST_CASE("a contract whose required use is not active is left out, and so is who uses it") {
  const auto top = user_of("top@v1", "mid@v1", "M.Get");
  const auto mid = parsed("mid@v1", R"("schemas":{"S":true},"rpc":{"M.Get":{"version":"v1","subject":"rpc.v1.M.Get",)"
                                    R"("input":{"schema":"S"},"output":{"schema":"S"}}},)"
                                    R"("uses":{"required":{"u":{"contract":"a@v1","rpc":{"call":["A.Get"]}}}})");
  const auto all = effective_catalog({offered(top, "d1", "1"), offered(mid, "d2", "1"), offered(kA, "d3", "1")});
  CHECK(all.contracts.size() == 3);

  const auto without = effective_catalog({offered(top, "d1", "1"), offered(mid, "d2", "1")});
  CHECK(without.contracts.empty());
  REQUIRE(without.issues.size() == 2);
  CHECK(without.issues[0].kind == "invalid-active-contract-uses");
  CHECK(without.issues[0].contract_id == "mid@v1");
  CHECK(without.issues[0].issue_id == "invalid-active-contract-uses:mid@v1:" + mid.digest() + "::");
  REQUIRE(without.issues[0].actions.size() == 1);
  CHECK(without.issues[0].actions[0].action == "keep-current");
  CHECK(without.issues[1].contract_id == "top@v1");
}

TEST_CASE("a name that the active contract lacks leaves its user out") {
  const auto catalog =
      effective_catalog({offered(kA, "d1", "1"), offered(user_of("b@v1", "a@v1", "A.Nope"), "d2", "1")});
  CHECK(digests(catalog) == std::vector{kA.digest()});
  CHECK(catalog.issues.at(0).kind == "invalid-active-contract-uses");
}

TEST_CASE("an offer whose manifest is gone raises no issue, a digest without offer does") {
  CatalogCandidate gone = {"a@v1", "dig", std::nullopt, false, false, {{"d1", "1"}}};
  CHECK(effective_catalog({gone}).issues.empty());
  gone.offers.clear();
  CHECK(effective_catalog({gone}).issues.at(0).issue_id == "missing-active-contract:a@v1:dig::");
  gone.invalid = true;
  CHECK(effective_catalog({gone}).issues.at(0).kind == "invalid-active-contract");
  CHECK(effective_catalog({gone}).issues.at(0).actions.empty());
}

TEST_CASE("the catalog is written with its issues, also when there are none") {
  CHECK(catalog_json({}) == R"({"format":"trellis.catalog.v1","contracts":[],"issues":[]})");

  const auto text = catalog_json(effective_catalog({offered(kA, "d1", "1"), offered(kBadA, "d2", "2")}));
  const auto json = parse_json(text);
  REQUIRE(json);
  const auto &entry = (*json)["contracts"][0];
  CHECK(string_member(entry, "id") == "a@v1");
  CHECK(string_member(entry, "digest") == kA.digest());
  CHECK(string_member(entry, "displayName") == "D");
  const auto &issue = (*json)["issues"][0];
  CHECK(string_member(issue, "conflictingDigest") == kBadA.digest());
  CHECK(issue["actions"].Size() == 2);

  const auto uses = parse_json(catalog_json(effective_catalog({offered(user_of("b@v1", "a@v1", "X"), "d", "1")})));
  REQUIRE(uses);
  CHECK_FALSE(find_member((*uses)["issues"][0], "effectiveDigests"));
}
