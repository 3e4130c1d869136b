#include "agent_contract.h"
#include "call_login.h"
#include "contract_file.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::cli;

namespace {

Manifest builtin(const std::string &id) {
  auto contract = read_contract(std::string(TRELLIS_SOURCE_ROOT) + "/plugins/auth/contracts/" + id + ".json");
  REQUIRE(contract);
  return std::move(*contract);
}

// Everything that `uses` names exists in the built-in contract.
void check_uses(const Named<Use> &uses) {
  for (const auto &[alias, use] : uses) {
    const Manifest target = builtin(use.contract);
    REQUIRE(use.rpc);
    REQUIRE(use.rpc->call);
    for (const auto &name : *use.rpc->call) {
      INFO(use.contract << " " << name);
      CHECK(target.rpc(name) != nullptr);
    }
  }
}

bool calls(const Manifest &contract, const std::string &rpc) {
  for (const auto &[alias, use] : *contract.model().uses->required)
    if (use.rpc && use.rpc->call && std::ranges::find(*use.rpc->call, rpc) != use.rpc->call->end()) return true;
  return false;
}

} // namespace

TEST_CASE("The CLI's contract is a valid agent contract of the lineage of operator CLIs") {
  const auto contract = agent_contract();
  REQUIRE(contract);
  CHECK(contract->id() == "trellis.agent@v1");
  CHECK(contract->kind() == ContractKind::agent);
  CHECK(contract->digest() != "w9BQTqdBuMPnq1uq_JO1BSw391uZE3ITyGUUx1BIy_w"); // that of the CLI that lacks plans
}

TEST_CASE("The CLI uses only what the built-in contracts have") {
  const auto contract = agent_contract().value();
  REQUIRE(contract.model().uses);
  check_uses(*contract.model().uses->required);
  check_uses(*contract.model().uses->optional);
}

TEST_CASE("The CLI may call what its commands call") {
  const auto contract = agent_contract().value();
  for (const char *rpc : {"Auth.Sessions.Me",
                          "Auth.Sessions.Logout",
                          "Auth.Deployments.List",
                          "Auth.Deployments.Create",
                          "Auth.Deployments.Disable",
                          "Auth.Deployments.Enable",
                          "Auth.Deployments.Remove",
                          "Auth.ServiceInstances.List",
                          "Auth.ServiceInstances.Provision",
                          "Auth.DeploymentAuthority.Plan",
                          "Auth.DeploymentAuthority.Get",
                          "Auth.DeploymentAuthority.Plans.List",
                          "Auth.DeploymentAuthority.Plans.Get",
                          "Auth.DeploymentAuthority.AcceptUpdate",
                          "Auth.DeploymentAuthority.AcceptMigration",
                          "Auth.DeploymentAuthority.Reject",
                          "Auth.DeploymentAuthority.Reconcile",
                          "Auth.Capabilities.List",
                          "Trellis.Catalog",
                          "Trellis.Contract.Get"}) {
    INFO(rpc);
    CHECK(calls(contract, rpc));
  }
}

TEST_CASE("The contract of a call may call that rpc and end its session, nothing else") {
  const auto participant = call_participant("acme.echo@v1", "Echo.Say");
  REQUIRE(participant);
  const auto contract = Manifest::parse(participant->contract);
  REQUIRE(contract);
  CHECK(contract->digest() == participant->digest);
  CHECK(contract->id() == "trellis.call@v1");
  CHECK(contract->kind() == ContractKind::agent);
  const auto &required = *contract->model().uses->required;
  CHECK(required.size() == 2);
  CHECK(calls(*contract, "Echo.Say"));
  CHECK(calls(*contract, "Auth.Sessions.Logout"));
  CHECK(call_participant("acme.echo@v1", "Echo.Repeat").value().digest != participant->digest);
}

TEST_CASE("A call of the control plane itself uses its contract once") {
  const auto participant = call_participant("trellis.auth@v1", "Auth.Sessions.Me");
  REQUIRE(participant);
  const auto contract = Manifest::parse(participant->contract).value();
  CHECK(contract.model().uses->required->size() == 1);
  CHECK(calls(contract, "Auth.Sessions.Me"));
  CHECK(calls(contract, "Auth.Sessions.Logout"));
}
