// A contract with every kind of resource, planned and accepted over the wire: the plugin makes them through the host's
// connection, and keeps them over a kill.
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "contracts/manifest.h"
#include "live_control_plane.h"
#include "live_host.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;

namespace {

constexpr char kContract[] =
    R"({"format":"trellis.contract.v1","id":"acme.mix@v1","displayName":"Mix","description":"d","kind":"service",
        "schemas":{"S":{"type":"object"}},
        "events":{"Mix.T":{"version":"v1","subject":"events.v1.Mix.T","event":{"schema":"S"}}},
        "jobs":{"mail":{"payload":{"schema":"S"}}},"eventConsumers":{"g":{"self":["Mix.T"]}},
        "resources":{"kv":{"cache":{"purpose":"p","schema":{"schema":"S"}}},"store":{"files":{"purpose":"p"}}}})";

// The contract of an operator who plans, accepts and looks.
const std::string kPlanner = caller_contract("acme.planner@v1", "trellis.auth@v1",
                                             {"Auth.Deployments.Create", "Auth.DeploymentAuthority.Plan",
                                              "Auth.DeploymentAuthority.AcceptUpdate", "Auth.DeploymentAuthority.Get",
                                              "Auth.DeploymentAuthority.Reconcile"});

JsonDocument called(cli::ControlPlane &plane, const std::string &rpc, const std::string &input) {
  auto answer = plane.call(rpc, input);
  INFO((answer ? "" : answer.error().text()));
  REQUIRE(answer);
  return std::move(*answer);
}

std::unique_ptr<cli::ControlPlane> planner(LiveControlPlane &live) {
  auto plane = cli::ControlPlane::connect(live.sign_in(kPlanner));
  INFO((plane ? "" : plane.error().text()));
  REQUIRE(plane);
  return std::move(*plane);
}

// The bindings by kind and alias, without their times.
std::string bindings_of(const JsonDocument &reply) {
  const JsonValue *materialized = find_member(reply, "materializedAuthority");
  REQUIRE(materialized);
  INFO(to_json(*materialized));
  CHECK(string_member(*materialized, "status") == "current");
  std::string out;
  for (const JsonValue &binding : (*materialized)["resourceBindings"].GetArray())
    out += std::string(string_member(binding, "kind")) + " " + to_json(binding["binding"]) + "\n";
  return out;
}

} // namespace

TEST_CASE("an accepted plan makes every kind of resource, which a restarted control plane finds again") {
  LiveControlPlane live;
  live.start();
  live.set_admin_password();
  auto plane = planner(live);
  called(*plane, "Auth.Deployments.Create", R"({"kind":"service","deploymentId":"acme.mix","namespaces":[]})");
  const auto contract = Manifest::parse(kContract);
  REQUIRE(contract);
  const auto planned = called(*plane, "Auth.DeploymentAuthority.Plan",
                              JsonObjectText()
                                  .text("deploymentId", "acme.mix")
                                  .json("contract", contract->normalized())
                                  .text("expectedDigest", contract->digest())
                                  .str());
  called(*plane, "Auth.DeploymentAuthority.AcceptUpdate",
         JsonObjectText().text("planId", string_member(planned["plan"], "planId")).str());
  const std::string made =
      bindings_of(called(*plane, "Auth.DeploymentAuthority.Get", R"({"deploymentId":"acme.mix"})"));
  for (const char *name : {"event-consumer", "tr_cons_", "jobs", "tr_jobs_", "kv", "tr_kv_", "store", "tr_obj_"}) {
    INFO(made);
    CHECK(made.find(name) != std::string::npos);
  }

  plane.reset();
  live.kill();
  live.start();
  plane = planner(live);
  CHECK(bindings_of(called(*plane, "Auth.DeploymentAuthority.Reconcile", R"({"deploymentId":"acme.mix"})")) == made);
}
