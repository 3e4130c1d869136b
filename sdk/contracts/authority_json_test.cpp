#include "contracts/authority_json.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

JsonDocument json(std::string_view text) {
  auto value = parse_json(text);
  if (!value) FAIL(value.error().text());
  return std::move(*value);
}

const std::string kNeeds =
    R"({"contracts":[{"contractId":"a@v1","required":true}],)"
    R"("surfaces":[{"contractId":"a@v1","kind":"rpc","name":"A.X","action":"call","required":false},)"
    R"({"contractId":"a@v1","kind":"feed","name":"A.F","required":true}],)"
    R"("capabilities":[{"capability":"a::x","required":true}],)"
    R"("resources":[{"kind":"event-consumer","alias":"g","required":true,"definition":{"maxDeliver":6,"type":"t"}},)"
    R"({"kind":"kv","alias":"k","required":false}]})";

std::string with(const std::string &text, const std::string &from, const std::string &to) {
  auto out = text;
  const auto at = out.find(from);
  REQUIRE(at != std::string::npos);
  return out.replace(at, from.size(), to);
}

std::string misread_needs(const std::string &from, const std::string &to) {
  const auto needs = needs_from_json(json(with(kNeeds, from, to)));
  REQUIRE_FALSE(needs);
  CHECK(needs.error().code == "authority_json");
  return needs.error().where;
}

} // namespace

TEST_CASE("needs are written as they were read") {
  const auto needs = needs_from_json(json(kNeeds));
  REQUIRE(needs);
  CHECK(needs->surfaces[0].surface == Surface{"a@v1", SurfaceKind::rpc, "A.X", SurfaceAction::call});
  CHECK(needs->surfaces[1].surface.action == SurfaceAction::none);
  CHECK(needs->resources[1].definition.empty());
  CHECK(needs_json(*needs) == kNeeds);
}

TEST_CASE("a definition becomes canonical text, whatever the order of its members was") {
  const auto needs =
      needs_from_json(json(with(kNeeds, R"({"maxDeliver":6,"type":"t"})", R"({"type":"t","maxDeliver":6.0})")));
  REQUIRE(needs);
  CHECK(needs->resources[0].definition == R"({"maxDeliver":6,"type":"t"})");
}

TEST_CASE("members that the protocol does not list are passed over") {
  const auto surfaces = surfaces_from_json(
      json(R"([{"contractId":"a@v1","kind":"event","name":"E","action":"publish","required":true}])"));
  REQUIRE(surfaces);
  CHECK(surfaces_json(*surfaces) == R"([{"contractId":"a@v1","kind":"event","name":"E","action":"publish"}])");
}

TEST_CASE("a malformed need is named by its JSON pointer") {
  CHECK(misread_needs(R"("contracts":)", R"("contract":)") == "/contracts");
  CHECK(misread_needs(R"({"contractId":"a@v1","required":true})", "7") == "/contracts/0");
  CHECK(misread_needs(R"("contractId":"a@v1","required":true)", R"("contractId":"","required":true)") ==
        "/contracts/0/contractId");
  CHECK(misread_needs(R"("required":true)", R"("required":"yes")") == "/contracts/0/required");
  CHECK(misread_needs(R"("kind":"rpc")", R"("kind":"call")") == "/surfaces/0/kind");
  CHECK(misread_needs(R"("name":"A.F",)", "") == "/surfaces/1/name");
  CHECK(misread_needs(R"("action":"call")", R"("action":null)") == "/surfaces/0/action");
  CHECK(misread_needs(R"("action":"call")", R"("action":"")") == "/surfaces/0/action");
  CHECK(misread_needs(R"({"capability":"a::x","required":true})", R"({"required":true})") ==
        "/capabilities/0/capability");
  CHECK(misread_needs(R"("kind":"kv")", R"("kind":["kv"])") == "/resources/1/kind");
  CHECK(misread_needs(R"("alias":"k")", R"("alias":false)") == "/resources/1/alias");
  CHECK(misread_needs(R"({"maxDeliver":6,"type":"t"})", "null") == "/resources/0/definition");
  CHECK(misread_needs(R"("maxDeliver":6)", R"("maxDeliver":1e999)") == "/resources/0/definition");
  CHECK(misread_needs(R"([{"capability":"a::x","required":true}])", "{}") == "/capabilities");
}

TEST_CASE("a value that is no object is named by the empty pointer") {
  CHECK(needs_from_json(json("[]")).error().where.empty());
  CHECK(desired_state_from_json(json("null")).error().where.empty());
  CHECK(surfaces_from_json(json("{}")).error().expected == "an array");
}

TEST_CASE("a desired state is written as it was read") {
  const auto text = R"({"needs":)" + kNeeds +
                    R"(,"capabilities":["a::x","admin"],"resources":[{"kind":"kv","alias":"k","required":false}],)"
                    R"("surfaces":[{"contractId":"b@v1","kind":"operation","name":"O","action":"observe"}]})";
  const auto desired = desired_state_from_json(json(text));
  REQUIRE(desired);
  CHECK(desired_state_json(*desired) == text);
}

TEST_CASE("a malformed desired state is named by its JSON pointer") {
  const auto text = R"({"needs":)" + kNeeds + R"(,"capabilities":["a"],"resources":[],"surfaces":[]})";
  const auto misread = [&](const std::string &from, const std::string &to) {
    return desired_state_from_json(json(with(text, from, to))).error().where;
  };
  CHECK(misread(R"("alias":"k",)", "") == "/needs/resources/1/alias");
  CHECK(misread(R"(["a"])", R"(["a",1])") == "/capabilities/1");
  CHECK(misread(R"("surfaces":[]})", R"("surfaces":[{}]})") == "/surfaces/0/contractId");
  CHECK(misread(R"("resources":[],)", "") == "/resources");
}

TEST_CASE("in grants the kind of a surface has a name of its own, but not inside a NATS grant") {
  const std::string text =
      R"({"capabilities":[{"capability":"a::x"}],)"
      R"("surfaces":[{"contractId":"a@v1","surfaceKind":"rpc","name":"A.X","action":"call"}],)"
      R"("nats":[{"direction":"publish","subject":"rpc.v1.A.X",)"
      R"("surface":{"contractId":"a@v1","kind":"rpc","name":"A.X","action":"call"},)"
      R"("requiredCapabilities":["a::x"],"grantSource":"used-surface"},)"
      R"({"direction":"subscribe","subject":"$JS.API.INFO","requiredCapabilities":[],"grantSource":"platform-service"}]})";
  const auto grants = grants_from_json(json(text));
  REQUIRE(grants);
  CHECK(grants->nats[0].publish);
  CHECK(grants->nats[0].surface->name == "A.X");
  CHECK_FALSE(grants->nats[1].surface);
  CHECK(grants->nats[1].source == GrantSource::platform_service);
  CHECK(grants_json(*grants) == text);

  const auto misread = [&](const std::string &from, const std::string &to) {
    return grants_from_json(json(with(text, from, to))).error().where;
  };
  CHECK(misread(R"("surfaceKind":"rpc")", R"("kind":"rpc")") == "/surfaces/0/surfaceKind");
  CHECK(misread(R"("direction":"subscribe")", R"("direction":"both")") == "/nats/1/direction");
  CHECK(misread(R"("subject":"$JS.API.INFO",)", "") == "/nats/1/subject");
  CHECK(misread(R"("grantSource":"used-surface")", R"("grantSource":"used")") == "/nats/0/grantSource");
  CHECK(misread(R"("requiredCapabilities":[],)", "") == "/nats/1/requiredCapabilities");
  CHECK(misread(R"("kind":"rpc")", R"("kind":1)") == "/nats/0/surface/kind");
}

TEST_CASE("capability definitions name the analysed contract") {
  const auto contract = Manifest::parse(
      R"({"format":"trellis.contract.v1","id":"acme.a@v1","displayName":"A \"one\"","description":"D","kind":"service"})");
  REQUIRE(contract);
  const auto text = capability_definitions_json(
      {{"a::x", "X", "Does x.", "Breaks.", "creates"}, {"b::y", "b::y", "Requires b::y.", {}, "given"}}, "dep",
      *contract);
  CHECK(text == R"([{"deploymentId":"dep","key":"a::x","displayName":"X","description":"Does x.",)"
                R"("consequence":"Breaks.","source":"contract","contractId":"acme.a@v1","contractDigest":")" +
                    contract->digest() +
                    R"(","contractDisplayName":"A \"one\"","direction":"creates"},)"
                    R"({"deploymentId":"dep","key":"b::y","displayName":"b::y","description":"Requires b::y.",)"
                    R"("source":"contract","contractId":"acme.a@v1","contractDigest":")" +
                    contract->digest() + R"(","contractDisplayName":"A \"one\"","direction":"given"}])");
}

TEST_CASE("an approval holds the texts of its capabilities by key") {
  ApprovalPlan plan;
  plan.contract_id = "app@v1";
  plan.contract_digest = "dig";
  plan.display_name = "App";
  plan.description = "An app.";
  plan.participant_kind = "app";
  plan.capabilities = {{"a::x", {"X", "Does x.", {}}}, {"b::y", {"Y", "Does y.", "Breaks."}}};
  CHECK(approval_json(plan) ==
        R"({"contractDigest":"dig","contractId":"app@v1","displayName":"App","description":"An app.",)"
        R"("participantKind":"app","capabilities":{"a::x":{"displayName":"X","description":"Does x."},)"
        R"("b::y":{"displayName":"Y","description":"Does y.","consequence":"Breaks."}}})");
}

TEST_CASE("words of surfaces and resources are found by name") {
  CHECK(surface_kind_of("operation") == SurfaceKind::operation);
  CHECK_FALSE(surface_kind_of("operations"));
  CHECK(surface_action_of("") == SurfaceAction::none);
  CHECK(surface_action_of("cancel") == SurfaceAction::cancel);
  CHECK_FALSE(surface_action_of("none"));
  CHECK(resource_kind_of("event-consumer") == ResourceKind::event_consumer);
  CHECK_FALSE(resource_kind_of("bucket"));
}
