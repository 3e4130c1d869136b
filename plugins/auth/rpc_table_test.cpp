#include "abi_text.h"
#include "builtin_contracts.h"
#include "contracts/json.h"
#include "rpc_table.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <set>

using namespace trellis;
using namespace trellis::auth;

namespace {

void serve(void *, const trellis_request *) {}

const std::string kAdmin = R"({"type":"user","participantKind":"agent","userId":"usr_1","identity":{"identityId":"i",)"
                           R"("provider":"local","subject":"ada"},"active":true,"name":"Ada","email":"a@b.c",)"
                           R"("capabilities":["admin"],"lastAuth":"2026-01-01T00:00:00.000Z"})";
const std::string kUser = R"({"type":"user","participantKind":"app","userId":"usr_2","capabilities":["x"]})";
const std::string kService =
    R"({"type":"service","id":"k","name":"shop","active":true,"capabilities":["service","admin"]})";

RpcRequest request_of(const std::string &caller) {
  return {"Auth.Deployments.List", "{}", caller, "key", "r1"};
}

} // namespace

TEST_CASE("every handler serves an rpc that a contract declares") {
  const auto contracts = builtin_contracts();
  REQUIRE(contracts);
  for (const auto &entry : all_rpc_handlers()) {
    const auto &name = entry.first;
    INFO(name);
    CHECK(std::ranges::any_of(*contracts, [&](const Manifest &contract) { return contract.rpc(name) != nullptr; }));
  }
}

TEST_CASE("the table has an entry for each rpc of auth, core and state") {
  const auto contracts = builtin_contracts();
  REQUIRE(contracts);
  const HandlerTable table(*contracts, all_rpc_handlers(), serve);
  CHECK(table.size() == 66 + 4 + 7);
  std::set<std::string> served;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    CHECK(view(table.entries()[i]->contract_id) != "trellis.jobs@v1");
    if (table.entries()[i]->rpc) served.emplace(view(table.entries()[i]->name));
  }
  CHECK(served.size() == all_rpc_handlers().size());
  CHECK(served.contains("Auth.Requests.Validate"));
  CHECK_FALSE(served.contains("Auth.Devices.Provision"));
}

TEST_CASE("an administrator is a user who holds admin") {
  const auto admin = require_admin(request_of(kAdmin));
  REQUIRE(admin);
  CHECK(admin->user_id == "usr_1");
  CHECK(admin->decider.user_id == "usr_1");
  CHECK(admin->decider.json == R"({"type":"user","participantKind":"agent","userId":"usr_1",)"
                               R"("identity":{"identityId":"i","provider":"local","subject":"ada"}})");
  for (const auto &caller : {kUser, kService, std::string("{}"), std::string("no JSON")}) {
    INFO(caller);
    const auto refused = require_admin(request_of(caller));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().type == "AuthError");
    CHECK(refused.error().reason() == "insufficient_permissions");
  }
}

TEST_CASE("where a user has to call, a service's refusal is an UnexpectedError") {
  CHECK(require_user(request_of(kUser)));
  const auto refused = require_user(request_of(kService));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().type == "UnexpectedError");
  CHECK(refused.error().context.find("Auth failed: insufficient_permissions") != std::string::npos);
}

TEST_CASE("errors of the domain become those of the protocol") {
  auto invalid = fail("validation", "/planId", "There is no such plan.").value();
  invalid.details = {{"planId", "p1"}};
  const auto validation = envelope_of(invalid);
  CHECK(validation.type == "ValidationError");
  CHECK(validation.fields == R"({"issues":[{"path":"/planId","message":"There is no such plan."}]})");
  CHECK(validation.context == R"({"planId":"p1"})");

  auto refused = fail("auth", "invalid_request", "Not there.").value();
  refused.details = {{"reason", "device_deployment_not_found"}};
  const auto auth = envelope_of(refused);
  CHECK(auth.type == "AuthError");
  CHECK(auth.reason() == "invalid_request");
  CHECK(auth.context == R"({"reason":"device_deployment_not_found"})");

  CHECK(envelope_of(fail("user_not_found", {}, "gone").value()).reason() == "user_not_found");
  const auto unexpected = envelope_of(fail("storage", "reading", "disk full").value());
  CHECK(unexpected.type == "UnexpectedError");
  CHECK(unexpected.context.find("disk full") != std::string::npos);
}
