#include "contracts/authority_plan.h"
#include "contracts/encoding.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr char kKey[] = "session-key";
using Source = ApprovalDecision::Source;

Manifest parsed(const std::string &id, const std::string &kind, const std::string &members) {
  auto manifest = Manifest::parse(R"({"format":"trellis.contract.v1","id":")" + id +
                                  R"(","displayName":"D","description":"D.","kind":")" + kind + "\"," + members + "}");
  if (!manifest) FAIL(manifest.error().text());
  return std::move(*manifest);
}

Manifest ledger() {
  return parsed("ledger@v1", "service",
                R"("capabilities":{"ledger::read":{"displayName":"R","description":"Reads."}},"schemas":{"S":true},)"
                R"("rpc":{"L.Get":{"version":"v1","subject":"rpc.v1.L.Get","input":{"schema":"S"},)"
                R"("output":{"schema":"S"},"capabilities":{"call":["ledger::read"]}}})");
}

Manifest app_with(const std::string &group = "required") {
  return parsed("app@v1", "app",
                R"("uses":{")" + group + R"(":{"l":{"contract":"ledger@v1","rpc":{"call":["L.Get"]}}}})");
}

// A deployment that provides the ledger.
DesiredState ledger_deployment() {
  DesiredState desired;
  desired.needs.contracts = {{"ledger@v1", true}};
  desired.surfaces = {{"ledger@v1", SurfaceKind::rpc, "L.Get", SurfaceAction::call}};
  return desired;
}

const AppIdentity kWeb = {"app@v1", "https://a.test"};
const AppIdentity kCli = {"app@v1", std::nullopt};

ApprovalFacts facts_with_ledger() {
  ApprovalFacts facts;
  facts.known = {{.manifest = ledger()}};
  facts.enabled = {ledger_deployment()};
  return facts;
}

ApprovalOverride web_override(const std::string &origin = "https://a.test") {
  return {"app@v1", origin, std::nullopt, "ledger::read", std::nullopt};
}

ApprovalGrant covering_grant(const AppIdentity &app = kWeb) {
  return {identity_anchor_json(app, kKey), true, {"ledger::read", "more"}, {"rpc.v1.L.Get", "more"}, {}};
}

ApprovalDecision decide(const ApprovalFacts &facts, const AppIdentity &app = kWeb,
                        const Manifest &contract = app_with()) {
  const auto plan = plan_approval(contract, facts.known);
  REQUIRE(plan);
  auto decision = decide_approval(contract, *plan, app, kKey, facts);
  if (!decision) FAIL(decision.error().text());
  return std::move(*decision);
}

} // namespace

TEST_CASE("an anchor has its members in the order that grant ids are made from") {
  CHECK(identity_anchor_json(kWeb, kKey) == R"({"kind":"web","contractId":"app@v1","origin":"https://a.test"})");
  CHECK(identity_anchor_json(kCli, kKey) == R"({"kind":"cli","contractId":"app@v1","sessionPublicKey":"session-key"})");
  CHECK(identity_grant_id("usr_1", R"({"kind":"web"})") == base64url(as_bytes(R"(usr_1:{"kind":"web"})")));
}

TEST_CASE("a capability that the user lacks is missing") {
  const auto decision = decide(facts_with_ledger());
  CHECK(decision.required == std::vector<std::string>{"ledger::read"});
  CHECK(decision.missing == std::vector<std::string>{"ledger::read"});
  CHECK(decision.source == Source::none);
}

TEST_CASE("the user is asked when nothing was decided before") {
  auto facts = facts_with_ledger();
  facts.user_groups = {"readers"};
  facts.groups = {{"readers", {{"ledger::read"}, {}}}};
  const auto decision = decide(facts);
  CHECK(decision.missing.empty());
  CHECK(decision.source == Source::none);
}

TEST_CASE("an override that covers everything approves without asking") {
  auto facts = facts_with_ledger();
  facts.overrides = {web_override()};
  const auto decision = decide(facts);
  CHECK(decision.effective == std::vector<std::string>{"ledger::read"});
  CHECK(decision.source == Source::deployment_grant);
  CHECK(decision.approved);
}

TEST_CASE("an override by group counts what the group resolves to") {
  auto facts = facts_with_ledger();
  facts.groups = {{"readers", {{}, {"base"}}}, {"base", {{"ledger::read"}, {}}}};
  facts.overrides = {{"app@v1", "https://a.test", std::nullopt, std::nullopt, "readers"}};
  CHECK(decide(facts).source == Source::deployment_grant);
}

TEST_CASE("an override applies to its own contract and its own origin or key") {
  auto facts = facts_with_ledger();
  facts.overrides = {web_override("https://b.test")};
  CHECK_FALSE(decide(facts).missing.empty());
  facts.overrides = {web_override()};
  facts.overrides[0].contract_id = "other@v1";
  CHECK_FALSE(decide(facts).missing.empty());
  facts.overrides = {{"app@v1", std::nullopt, kKey, "ledger::read", std::nullopt}};
  CHECK_FALSE(decide(facts).missing.empty());
  CHECK(decide(facts, kCli).source == Source::deployment_grant);
}

TEST_CASE("an override can't make available what no deployment provides") {
  auto facts = facts_with_ledger();
  facts.enabled = {DesiredState()};
  facts.overrides = {web_override()};
  CHECK(decide(facts).source == Source::none);
}

TEST_CASE("an app that needs no capability is approved as soon as there is a deployment") {
  ApprovalFacts facts;
  const auto plain = parsed("app@v1", "app", R"("schemas":{})");
  CHECK(decide(facts, kWeb, plain).source == Source::none);
  facts.enabled = {DesiredState()};
  CHECK(decide(facts, kWeb, plain).source == Source::deployment_grant);
}

TEST_CASE("the surfaces of built-in contracts are always available") {
  ApprovalFacts facts;
  facts.known = {{.manifest = ledger()}};
  facts.builtin = {ledger()};
  facts.enabled = {DesiredState()};
  facts.overrides = {web_override()};
  CHECK(decide(facts).source == Source::deployment_grant);
}

TEST_CASE("optional uses need not be available") {
  auto facts = facts_with_ledger();
  facts.enabled = {DesiredState()};
  facts.overrides = {web_override()};
  CHECK(decide(facts, kWeb, app_with("optional")).source == Source::deployment_grant);
}

TEST_CASE("a stored approval of the same anchor applies while it covers what is asked") {
  auto facts = facts_with_ledger();
  facts.user_capabilities = {"ledger::read"};
  facts.grants = {covering_grant()};
  CHECK(decide(facts).source == Source::stored_approval);
  CHECK(decide(facts).approved);
  CHECK(decide(facts, kCli).source == Source::none);

  facts.grants[0].publish_subjects = {"more"};
  CHECK(decide(facts).source == Source::none);
}

TEST_CASE("an anchor is compared by its members, not by their order") {
  auto facts = facts_with_ledger();
  facts.user_capabilities = {"ledger::read"};
  facts.grants = {covering_grant()};
  facts.grants[0].anchor = R"({"contractId":"app@v1","kind":"web","origin":"https://a.test"})";
  CHECK(decide(facts).source == Source::stored_approval);
}

TEST_CASE("a stored denial applies as a denial") {
  auto facts = facts_with_ledger();
  facts.user_capabilities = {"ledger::read"};
  facts.grants = {covering_grant()};
  facts.grants[0].approved = false;
  CHECK(decide(facts).source == Source::stored_approval);
  CHECK_FALSE(decide(facts).approved);
}

TEST_CASE("a capability that the user lost is missing although the approval is still stored") {
  auto facts = facts_with_ledger();
  facts.grants = {covering_grant()};
  const auto decision = decide(facts);
  CHECK(decision.source == Source::stored_approval);
  CHECK(decision.missing == std::vector<std::string>{"ledger::read"});
}
