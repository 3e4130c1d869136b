// No look-up reads a whole table: SQLite counts the rows that a statement stepped through in a scan.
#include "store/authority.h"
#include "store/connection.h"
#include "store/deployments.h"
#include "store/sessions.h"
#include "store/store_test.h"
#include <sqlite3.h>

using namespace trellis;
using namespace trellis::auth;

namespace {

std::string name(const char *prefix, int number) {
  return prefix + std::to_string(number);
}

void put_accounts(Writer &db, int i) {
  User user;
  user.user_id = name("usr_", i);
  put_user(db, user);
  Identity identity;
  identity.identity_id = name("idn_", i), identity.user_id = user.user_id;
  identity.provider = "local", identity.subject = user.user_id;
  put_identity(db, identity);
  Credential credential;
  credential.identity_id = identity.identity_id;
  put_credential(db, credential);
  AccountFlow flow;
  flow.flow_id_hash = name("flow", i);
  put_account_flow(db, flow);
  UserSession session;
  session.user_id = user.user_id, session.identity_grant_id = name("grant", i);
  put_session(db, {.session_key = name("key", i), .created_at = 1, .last_auth = 1, .of = session});
  IdentityGrant grant;
  grant.identity_grant_id = name("grant", i), grant.user_id = user.user_id, grant.anchor = name("anchor", i);
  put_identity_grant(db, grant);
}

void put_deployments(Writer &db, int i) {
  const std::string deployment = name("dep", i);
  ServiceDeployment service;
  service.deployment_id = deployment;
  put_service_deployment(db, service);
  ServiceInstance instance;
  instance.instance_id = name("svc_", i), instance.deployment_id = deployment, instance.instance_key = name("ik", i);
  put_service_instance(db, instance);
  ServiceSession session;
  session.instance_id = instance.instance_id;
  put_session(db, {.session_key = name("skey", i), .created_at = 1, .last_auth = 1, .of = session});
  DeviceDeployment devices;
  devices.deployment_id = deployment;
  put_device_deployment(db, devices);
  DeviceInstance device;
  device.instance_id = name("dev_", i);
  put_device_instance(db, device);
  Activation activation;
  activation.instance_id = device.instance_id;
  put_activation(db, activation);
}

void put_authorities(Writer &db, int i) {
  const std::string deployment = name("dep", i);
  StoredContract contract;
  contract.digest = name("dig", i), contract.contract_id = name("c", i);
  add_contract(db, contract);
  Authority authority;
  authority.deployment_id = deployment;
  authority.desired.needs.contracts = {{"a", true}, {"b", true}};
  authority.desired.capabilities = {"a", "b"};
  put_authority(db, authority);
  Plan plan;
  plan.plan_id = name("plan", i), plan.deployment_id = deployment;
  put_plan(db, plan);
  Materialization materialization;
  materialization.deployment_id = deployment;
  materialization.bindings = {{.kind = "kv", .alias = "a", .binding = "{}", .created_at = 1, .updated_at = 1}};
  put_materialization(db, materialization);
  Reconciliation reconciliation;
  reconciliation.deployment_id = deployment;
  put_reconciliation(db, reconciliation, "{}");
  Offer offer;
  offer.offer_id = name("offer", i), offer.deployment_id = deployment;
  put_offer(db, offer);
  DeploymentCapability capability;
  capability.definition.key = "a";
  replace_capabilities(db, deployment, {capability});
  GrantOverride entry;
  entry.deployment_id = deployment;
  replace_overrides(db, deployment, {entry});
}

void look_up_everything(Reader &db) {
  CHECK(find_user(db, "usr_1"));
  CHECK(find_identity(db, "local", "usr_1"));
  CHECK(identities_of(db, "usr_1").size() == 1);
  CHECK(find_credential(db, "idn_1"));
  CHECK(find_account_flow(db, "flow1"));
  CHECK(find_session(db, "key1", 1)->has_value());
  CHECK(sessions_of_user(db, "usr_1", 1).size() == 1);
  CHECK(sessions_of_grant(db, "usr_1", "grant1", 1).size() == 1);
  CHECK(sessions_of_instance(db, "svc_1", 1).size() == 1);
  CHECK(session_keys_of_instances(db, {"svc_1", "svc_2"}, 1).size() == 2);
  CHECK(find_identity_grant(db, "grant1"));
  CHECK(identity_grants_of(db, "usr_1").size() == 1);
  CHECK(find_service_deployment(db, "dep1"));
  CHECK(find_service_instance(db, "svc_1"));
  CHECK(service_instance_of_key(db, "ik1"));
  CHECK(service_instances_of(db, "dep1").size() == 1);
  CHECK(find_device_deployment(db, "dep1"));
  CHECK(find_device_instance(db, "dev_1"));
  CHECK(find_activation(db, "dev_1"));
  CHECK(find_contract(db, "dig1"));
  CHECK(contracts_of_id(db, "c1").size() == 1);
  CHECK(find_authority(db, "dep1")->desired.capabilities.size() == 2);
  CHECK(find_plan(db, "plan1"));
  CHECK(list_plans(db, {"dep1", {}, {}}).size() == 1);
  CHECK(list_plans(db, {"dep1", "pending", {}}).size() == 1);
  CHECK(find_materialization(db, "dep1")->bindings.size() == 1);
  CHECK(find_reconciliation(db, "dep1"));
  CHECK(offers_of_deployment(db, "dep1").size() == 1);
  CHECK(capabilities_of(db, "dep1").size() == 1);
  CHECK(overrides_of(db, "dep1").size() == 1);
}

} // namespace

TEST_CASE("No look-up scans a table") {
  TestStore store;
  store.write([](Writer &db) {
    for (int i = 0; i < 50; ++i) {
      put_accounts(db, i);
      put_deployments(db, i);
      put_authorities(db, i);
    }
  });
  auto connection = std::make_unique<Connection>(store.file());
  sqlite3 *handle = connection->handle();
  ConnectedReader reader(std::move(connection));
  look_up_everything(reader);
  int statements = 0;
  for (sqlite3_stmt *statement = nullptr; (statement = sqlite3_next_stmt(handle, statement));) {
    INFO(sqlite3_sql(statement));
    ++statements;
    CHECK(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) == 0);
  }
  CHECK(statements > 30);
}

TEST_CASE("Expired sessions are found for deletion without reading the others") {
  TestStore store;
  store.write([](Writer &db) {
    Row row = db.query("EXPLAIN QUERY PLAN DELETE FROM sessions WHERE last_auth < ?1", {1});
    REQUIRE(row.next());
    CHECK(row.text(3).find("sessions_by_last_auth") != std::string::npos);
  });
}
