// Deployments and their authority over a real store; JetStream isn't needed without resources.
#include "authority_testing.h"
#include "contracts/authority_json.h"
#include "reconcile.h"
#include "store/deployments.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <thread>

using namespace trellis;
using namespace trellis::auth;
using trellis::auth::testing::ControlPlane;
using trellis::auth::testing::key_of;

TEST_CASE("an accepted plan makes the service ready, and its grants follow from the contract") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  const auto asked = plane.bootstrap("one", plane.orders);
  CHECK(asked.status == 202);
  CHECK(asked.text("reason") == "authority_update_required");
  CHECK(asked.text("classification") == "update");
  REQUIRE(plane.accept(asked.text("planId")));
  const auto ready = plane.bootstrap("one", plane.orders);
  CHECK(ready.status == 200);
  CHECK(ready.text("status") == "ready");
  const auto stored = plane.read([](Reader &db) { return find_materialization(db, "acme.prod"); });
  REQUIRE(stored);
  CHECK(std::ranges::any_of(stored->grants.nats, [](const NatsGrant &grant) {
    return !grant.publish && grant.subject == "rpc.v1.Orders.Get" && grant.source == GrantSource::owned_surface;
  }));
}

TEST_CASE("repeated bootstraps get the same pending plan") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  const auto first = plane.bootstrap("one", plane.orders), second = plane.bootstrap("one", plane.orders);
  CHECK(first.text("planId") == second.text("planId"));
  CHECK(plane.read([](Reader &db) { return list_plans(db, {}); }).size() == 1);
}

TEST_CASE("of two accepts at once one wins, and the other one hears that the plan isn't pending") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  const std::string plan = plane.bootstrap("one", plane.orders).text("planId");
  auto other = std::async(std::launch::async, [&] { return plane.accept(plan); });
  const auto mine = plane.accept(plan);
  const auto theirs = other.get();
  CHECK(mine.has_value() != theirs.has_value());
  const Error error = mine ? theirs.error() : mine.error();
  CHECK(error.code == "validation");
  CHECK(error.where == "/planId");
  CHECK(error.detail("state") == "accepted");
}

TEST_CASE("of two plans of one version only the first can be accepted") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  const std::string first = plane.plan("acme.prod", plane.orders), second = plane.plan("acme.prod", plane.orders);
  CHECK(first != second);
  REQUIRE(plane.accept(first));
  const auto late = plane.accept(second);
  REQUIRE_FALSE(late);
  CHECK(late.error().where == "/planId");
  CHECK_FALSE(late.error().detail("plannedDesiredVersion").empty());
}

TEST_CASE("an expired plan can be neither accepted nor rejected") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  const std::string id = plane.plan("acme.prod", plane.orders);
  plane.domain.change([&](Writer &db) {
    auto plan = find_plan(db, id).value();
    plan.expires_at = plane.domain.now;
    put_plan(db, plan);
  });
  const auto accepted = plane.accept(id);
  REQUIRE_FALSE(accepted);
  CHECK(accepted.error().where == "/planId");
  CHECK_FALSE(accepted.error().detail("expiresAt").empty());
  CHECK_FALSE(plane.authority.reject(JsonObjectText().text("planId", id).str(), plane.admin));
}

TEST_CASE("an incompatible successor waits for a migration in a strict deployment") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.orders);
  const auto answer = plane.bootstrap("one", plane.orders_changed);
  CHECK(answer.status == 202);
  CHECK(answer.text("reason") == "authority_migration_required");
  CHECK(answer.text("compatibilityMode") == "strict");
  CHECK(answer.text("latestAcceptedContractDigest") == plane.orders.digest());
  CHECK(plane.bootstrap("one", plane.orders_changed).text("planId") == answer.text("planId"));
}

TEST_CASE("an incompatible successor is accepted at once in a mutable-dev deployment, and says so in plan and audit") {
  ControlPlane plane;
  plane.deploy("acme.dev", "mutable-dev");
  plane.provision("acme.dev", "one");
  plane.make_ready("acme.dev", "one", plane.orders);
  const std::string before = plane.version("acme.dev");
  CHECK(plane.bootstrap("one", plane.orders_changed).status == 200);
  CHECK(plane.version("acme.dev") != before);
  const auto plans = plane.read([](Reader &db) { return list_plans(db, {"acme.dev", "accepted", "migration"}); });
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].decision_by.value().find("mutable-dev") != std::string::npos);
  CHECK_FALSE(plans[0].acknowledgement_required);
  CHECK(plane.audited("plan.accept") == 2);
}

TEST_CASE("disabling a deployment flips its version, refuses its services and makes its plans unacceptable") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  const std::string plan = plane.plan("acme.prod", plane.orders);
  const std::string before = plane.version("acme.prod");
  REQUIRE(plane.set_disabled("acme.prod", true));
  const std::string disabled = plane.version("acme.prod");
  CHECK(disabled != before);
  REQUIRE(plane.set_disabled("acme.prod", true));
  CHECK(plane.version("acme.prod") == disabled);
  CHECK(plane.bootstrap("one", plane.orders).text("reason") == "service_deployment_disabled");
  CHECK_FALSE(plane.accept(plan));
}

TEST_CASE("disabling a deployment ends the sessions of its instances") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.domain.change([&](Writer &db) {
    Session session;
    session.session_key = key_of("one");
    session.created_at = session.last_auth = plane.domain.now;
    session.of = ServiceSession{"trellis-id", "mail", "acme.prod", "svc_1", "acme.prod", std::nullopt, std::nullopt};
    put_session(db, session);
  });
  REQUIRE(plane.domain.session(key_of("one")));
  REQUIRE(plane.set_disabled("acme.prod", true));
  CHECK_FALSE(plane.domain.session(key_of("one")));
}

TEST_CASE("removing a deployment keeps its authority disabled and takes its offers out of the catalog") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.orders);
  CHECK(plane.authority.catalog()->find("acme.orders@v1") != std::string::npos);
  const std::string target = R"({"kind":"service","deploymentId":"acme.prod")";
  const auto in_use = plane.authority.remove_deployment(target + "}", plane.admin);
  REQUIRE_FALSE(in_use);
  CHECK(in_use.error().where == "/deploymentId");
  REQUIRE(plane.authority.remove_deployment(target + R"(,"cascade":true})", plane.admin));
  CHECK(plane.authority.catalog()->find("acme.orders@v1") == std::string::npos);
  const auto kept = plane.read([](Reader &db) { return find_authority(db, "acme.prod"); });
  REQUIRE(kept);
  CHECK(kept->disabled);
  CHECK(plane.bootstrap("one", plane.orders).text("reason") == "unknown_service");
}

TEST_CASE("enrolling makes deployment and instance once, and leaves what exists alone") {
  ControlPlane plane;
  CHECK(plane.authority.enroll("host.billing", key_of("one")).status == 200);
  const auto deployment = plane.read([](Reader &db) { return find_service_deployment(db, "host.billing"); });
  REQUIRE(deployment);
  CHECK_FALSE(deployment->mutable_dev);
  REQUIRE(plane.set_disabled("host.billing", true));
  const std::string version = plane.version("host.billing");
  CHECK(plane.authority.enroll("host.billing", key_of("one")).status == 200);
  CHECK(plane.version("host.billing") == version);
  CHECK(plane.read([](Reader &db) { return find_service_deployment(db, "host.billing"); })->disabled);
  CHECK(plane.audited("deployment.enroll") == 1);
  CHECK(plane.audited("instance.enroll") == 1);
}

TEST_CASE("enrolling is refused for a deployment of devices and for a key of another deployment") {
  ControlPlane plane;
  REQUIRE(plane.authority.create_deployment(R"({"kind":"device","deploymentId":"sensors"})", plane.admin));
  const auto device = plane.authority.enroll("sensors", key_of("one"));
  CHECK(device.status == 409);
  CHECK(device.body.find("deployment_kind_mismatch") != std::string::npos);
  REQUIRE(plane.authority.enroll("a", key_of("two")).status == 200);
  const auto taken = plane.authority.enroll("b", key_of("two"));
  CHECK(taken.status == 409);
  CHECK(taken.body.find("instance_key_taken") != std::string::npos);
  CHECK_FALSE(plane.read([](Reader &db) { return find_service_deployment(db, "b"); }));
  CHECK(plane.authority.enroll("c", "short").status == 400);
}

TEST_CASE("a service can't present an app, a contract of the platform or a subject of one") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  for (const Manifest *contract : {&plane.app, &plane.stolen_id, &plane.stolen_subject}) {
    const auto answer = plane.bootstrap("one", *contract);
    INFO(contract->normalized());
    CHECK(answer.status == 409);
    CHECK(answer.text("reason") == "presented_contract_invalid");
    CHECK_FALSE(answer.text("contractError").empty());
  }
  const std::string input = JsonObjectText()
                                .text("deploymentId", "acme.prod")
                                .json("contract", plane.stolen_subject.normalized())
                                .text("expectedDigest", plane.stolen_subject.digest())
                                .str();
  const auto planned = plane.authority.plan(input, plane.admin);
  REQUIRE_FALSE(planned);
  CHECK(planned.error().where == "/contract");
}

TEST_CASE("a service can't present a subject that another running contract serves") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.orders);
  plane.deploy("rival.prod");
  plane.provision("rival.prod", "two");
  const auto answer = plane.bootstrap("two", plane.rival);
  CHECK(answer.text("reason") == "presented_contract_invalid");
  CHECK(answer.text("contractError").find("acme.orders@v1") != std::string::npos);
}

TEST_CASE("a resource that can't be provisioned fails the reconciliation by name") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.domain.trellis.break_streams(true);
  REQUIRE(plane.accept(plane.plan("acme.prod", plane.with_store)));
  const auto answer = plane.bootstrap("one", plane.with_store);
  CHECK(answer.status == 202);
  CHECK(answer.text("reason") == "authority_reconciliation_failed");
  CHECK(answer.text("reconciliationError").find("store \"files\", stream OBJ_tr_obj_") != std::string::npos);
}

TEST_CASE("changes are signalled without locks, and a bootstrap that changes nothing signals nothing") {
  ControlPlane plane;
  int signals = 0;
  plane.authority.on_change([&] {
    ++signals;
    CHECK(plane.authority.reconcile(R"({"deploymentId":"acme.prod"})", plane.admin)); // would deadlock under a lock
  });
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.orders);
  CHECK(signals > 3);
  const int settled = signals;
  CHECK(plane.bootstrap("one", plane.orders).status == 200);
  CHECK(signals == settled);
  plane.authority.on_change({});
  REQUIRE(plane.set_disabled("acme.prod", true));
  CHECK(signals == settled);
}

TEST_CASE("every decision leaves an audit line with who made it") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  REQUIRE(plane.accept(plane.plan("acme.prod", plane.orders)));
  const std::string other = plane.plan("acme.prod", plane.orders);
  REQUIRE(plane.authority.reject(JsonObjectText().text("planId", other).str(), plane.admin));
  REQUIRE(plane.set_disabled("acme.prod", true));
  for (const char *action :
       {"deployment.create", "instance.provision", "plan.accept", "plan.reject", "deployment.disable"}) {
    INFO(action);
    CHECK(plane.audited(action, "user:usr_1") == 1);
  }
  CHECK(plane.audited("plan.record", "user:usr_1") == 2);
}

TEST_CASE("the catalog keeps parsed contracts and its view until the database changes") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.plan("acme.prod", plane.orders);
  const auto first = plane.domain.catalog.view(*plane.domain.db, plane.domain.now);
  const auto second = plane.domain.catalog.view(*plane.domain.db, plane.domain.now);
  REQUIRE(first);
  CHECK(*first == *second);
  plane.plan("acme.prod", plane.orders_changed);
  const auto third = plane.domain.catalog.view(*plane.domain.db, plane.domain.now);
  CHECK(*third != *first);
  CHECK((*third)->known.size() == (*first)->known.size() + 1);
}

TEST_CASE("reconciliations of one deployment never overlap") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round)
        if (!plane.authority.reconcile(R"({"deploymentId":"acme.prod"})", plane.admin)) ++failures;
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failures == 0);
  CHECK(plane.read([](Reader &db) { return find_reconciliation(db, "acme.prod"); })->state == "succeeded");
}

// -------------------------------------------------------------------------------------------- approval of one file

TEST_CASE("an approval that is bound to a file asks again when the file or its signer changes") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  const BoundArtifact first{std::string(64, 'a'), "RWQsigner"}, second{std::string(64, 'b'), "RWQsigner"};
  const auto asked = plane.bootstrap("one", plane.orders, first);
  REQUIRE(asked.status == 202);
  CHECK(asked.text("reason") == "authority_update_required");
  CHECK(plane.bootstrap("one", plane.orders, first).text("planId") == asked.text("planId")); // recorded once
  const auto plan = plane.read([&](Reader &db) { return find_plan(db, asked.text("planId")); });
  REQUIRE(plan);
  CHECK(plan->summary.find(R"("artifact":{"sha256":")" + first.sha256 + R"(","signer":"RWQsigner"})") !=
        std::string::npos);
  REQUIRE(plane.accept(asked.text("planId")));
  CHECK(plane.bootstrap("one", plane.orders, first).status == 200);

  const auto changed = plane.bootstrap("one", plane.orders, second);
  CHECK(changed.status == 202);
  CHECK(changed.text("reason") == "authority_update_required");
  CHECK(changed.text("planId") != asked.text("planId"));
  CHECK(plane.bootstrap("one", plane.orders, BoundArtifact{first.sha256, ""}).status == 202);
  CHECK(plane.bootstrap("one", plane.orders, first).status == 200); // the running file keeps its approval
  REQUIRE(plane.accept(plane.bootstrap("one", plane.orders, second).text("planId")));
  CHECK(plane.bootstrap("one", plane.orders, second).status == 200);
  CHECK(plane.bootstrap("one", plane.orders, first).status == 200); // and a way back
}

TEST_CASE("what was accepted without a file isn't accepted from one, and a rejected file stays out") {
  ControlPlane plane;
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.orders);
  const BoundArtifact artifact{std::string(64, 'a'), ""};
  const auto asked = plane.bootstrap("one", plane.orders, artifact);
  CHECK(asked.status == 202);
  CHECK(plane.bootstrap("one", plane.orders).status == 200);
  REQUIRE(plane.authority.reject(JsonObjectText().text("planId", asked.text("planId")).str(), plane.admin));
  CHECK(plane.bootstrap("one", plane.orders, artifact).status == 202);
}

TEST_CASE("a file of the successor that a deployment replaces by itself is approved with it") {
  ControlPlane plane;
  plane.deploy("acme.dev", "mutable-dev");
  plane.provision("acme.dev", "one");
  plane.make_ready("acme.dev", "one", plane.orders);
  const BoundArtifact artifact{std::string(64, 'a'), ""};
  CHECK(plane.bootstrap("one", plane.orders_changed, artifact).status == 200);
  CHECK(plane.bootstrap("one", plane.orders_changed, BoundArtifact{std::string(64, 'b'), ""}).status == 202);
}
