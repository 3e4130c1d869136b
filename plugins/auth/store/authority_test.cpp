#include "store/authority.h"

#include "contracts/authority_json.h"
#include "store/store_test.h"

using namespace trellis;
using namespace trellis::auth;

namespace {

Surface surface(const std::string &name, SurfaceKind kind = SurfaceKind::rpc,
                SurfaceAction action = SurfaceAction::call) {
  return {.contract_id = "acme.shop@v1", .kind = kind, .name = name, .action = action};
}

ResourceNeed resource(ResourceKind kind, const std::string &alias, bool required, const std::string &definition) {
  return {.kind = kind, .alias = alias, .required = required, .definition = definition};
}

// In the order of the keys, as stored needs come back.
Needs full_needs() {
  Needs needs;
  needs.contracts = {{"acme.dep@v1", false}, {"acme.shop@v1", true}};
  needs.surfaces = {{surface("Shop.Changed", SurfaceKind::event, SurfaceAction::subscribe), false},
                    {surface("Shop.Watch", SurfaceKind::feed, SurfaceAction::subscribe), true},
                    {surface("Shop.Import", SurfaceKind::operation, SurfaceAction::cancel), true},
                    {surface("Shop.Import", SurfaceKind::operation, SurfaceAction::observe), true},
                    {surface("Shop.Get", SurfaceKind::rpc, SurfaceAction::none), true},
                    {surface("Shop.Get", SurfaceKind::rpc, SurfaceAction::call), true}};
  needs.capabilities = {{"acme.shop::read", true}, {"acme.shop::write", false}};
  needs.resources = {resource(ResourceKind::event_consumer, "group", true, R"({"type":"event-consumer"})"),
                     resource(ResourceKind::jobs, "queue", true, R"({"type":"jobs-queue"})"),
                     resource(ResourceKind::kv, "cache", false, R"({"history":1,"type":"kv"})"),
                     resource(ResourceKind::store, "files", true, ""),
                     resource(ResourceKind::transfer, "x:rpc:y:send", true, R"({"type":"transfer"})")};
  return needs;
}

Authority authority_of(const std::string &id, DesiredState desired = {}) {
  return {.deployment_id = id,
          .kind = "service",
          .disabled = true,
          .version = "01V",
          .desired = std::move(desired),
          .created_at = 1,
          .updated_at = 2};
}

DesiredState stored(TestStore &store, const DesiredState &desired) {
  store.write([&](Writer &db) { put_authority(db, authority_of("shop", desired)); });
  return store.read([](Reader &db) { return find_authority(db, "shop"); })->desired;
}

Plan full_plan(const std::string &id) {
  Plan plan;
  plan.plan_id = id;
  plan.deployment_id = "shop";
  plan.migration = true;
  plan.state = "accepted";
  plan.contract_id = "acme.shop@v1";
  plan.contract_digest = "dig";
  plan.contract = R"({"id":"acme.shop@v1"})";
  plan.requested = full_needs();
  plan.provided = {surface("Shop.Get"), surface("Shop.Import", SurfaceKind::operation)};
  plan.summary = R"({"desiredVersion":"01V"})";
  plan.desired_change = full_needs();
  plan.preview = R"({"resourceBindings":[]})";
  plan.warnings = {"careful"};
  plan.acknowledgement_required = true;
  plan.created_at = 1;
  plan.expires_at = 2;
  plan.decision_at = 3;
  plan.decision_by = R"({"type":"user"})";
  plan.decision_reason = "reviewed";
  return plan;
}

void check_equal(const Plan &a, const Plan &b) {
  CHECK(a.plan_id == b.plan_id);
  CHECK(a.deployment_id == b.deployment_id);
  CHECK(a.migration == b.migration);
  CHECK(a.state == b.state);
  CHECK(a.contract_id == b.contract_id);
  CHECK(a.contract_digest == b.contract_digest);
  CHECK(a.contract == b.contract);
  CHECK(needs_json(a.requested) == needs_json(b.requested));
  CHECK(surfaces_json(a.provided) == surfaces_json(b.provided));
  CHECK(a.summary == b.summary);
  CHECK(needs_json(a.desired_change) == needs_json(b.desired_change));
  CHECK(a.preview == b.preview);
  CHECK(a.warnings == b.warnings);
  CHECK(a.acknowledgement_required == b.acknowledgement_required);
  CHECK(a.created_at == b.created_at);
  CHECK(a.expires_at == b.expires_at);
  CHECK(a.decision_at == b.decision_at);
  CHECK(a.decision_by == b.decision_by);
  CHECK(a.decision_reason == b.decision_reason);
}

Names ids_of(const std::vector<Plan> &plans) {
  Names out;
  for (const auto &plan : plans)
    out.push_back(plan.plan_id);
  return out;
}

Offer full_offer() {
  return {.offer_id = offer_id_of("shop", "svc_1", "acme.shop@v1", "dig"),
          .lineage_key = offer_lineage("shop", "acme.shop@v1"),
          .deployment_id = "shop",
          .deployment_kind = "service",
          .instance_id = "svc_1",
          .contract_id = "acme.shop@v1",
          .contract_digest = "dig",
          .status = "accepted",
          .liveness = "healthy",
          .first_offered_at = 1,
          .accepted_at = 2,
          .last_refreshed_at = 3,
          .stale_at = 4,
          .expires_at = 5};
}

} // namespace

TEST_CASE("A contract is added once and kept as it was") {
  TestStore store;
  StoredContract contract{.digest = "dig2",
                          .contract_id = "acme.shop@v1",
                          .display_name = "Shop",
                          .description = "Sells",
                          .canonical = "{}",
                          .installed_at = 1};
  StoredContract first = contract, other = contract;
  first.digest = "dig1";
  other.digest = "dig0", other.contract_id = "acme.other@v1";
  store.write([&](Writer &db) {
    for (const auto &entry : {contract, first, other})
      CHECK(add_contract(db, entry));
    StoredContract again = contract;
    again.installed_at = 9;
    CHECK_FALSE(add_contract(db, again));
  });
  store.read([&](Reader &db) {
    CHECK(find_contract(db, "dig2") == contract);
    CHECK(contracts_of_id(db, "acme.shop@v1") == std::vector{first, contract});
    CHECK(list_contracts(db) == std::vector{other, first, contract});
    CHECK_FALSE(find_contract(db, "dig3"));
    return true;
  });
}

TEST_CASE("A desired state comes back as it was stored, each list in the order of its key") {
  TestStore store;
  DesiredState desired;
  SECTION("with everything") {
    desired.needs = full_needs();
    desired.capabilities = {"acme.shop::read", "other"};
    desired.resources = desired.needs.resources;
    desired.surfaces = {surface("Shop.Added", SurfaceKind::event, SurfaceAction::publish), surface("Shop.Own")};
  }
  SECTION("empty") {}
  const DesiredState found = stored(store, desired);
  CHECK(desired_state_json(found) == desired_state_json(desired));
}

TEST_CASE("A surface that is a need and provided is kept as a need") {
  TestStore store;
  DesiredState desired;
  desired.needs.surfaces = {{surface("Shop.Get"), false}};
  desired.surfaces = {surface("Shop.Get"), surface("Shop.Put"),
                      surface("Shop.Get", SurfaceKind::operation, SurfaceAction::call)};
  const DesiredState found = stored(store, desired);
  REQUIRE(found.needs.surfaces.size() == 1);
  CHECK(found.needs.surfaces[0].surface == surface("Shop.Get"));
  CHECK_FALSE(found.needs.surfaces[0].required);
  CHECK(found.surfaces ==
        std::vector{surface("Shop.Get", SurfaceKind::operation, SurfaceAction::call), surface("Shop.Put")});
}

TEST_CASE("Resources and needed resources are one set") {
  TestStore store;
  DesiredState desired;
  desired.needs.resources = {resource(ResourceKind::kv, "a", true, R"({"v":1})"),
                             resource(ResourceKind::kv, "both", false, R"({"v":1})")};
  desired.resources = {resource(ResourceKind::kv, "b", false, R"({"v":2})"),
                       resource(ResourceKind::kv, "both", true, R"({"v":2})")};
  const DesiredState found = stored(store, desired);
  const std::vector<ResourceNeed> all = {resource(ResourceKind::kv, "a", true, R"({"v":1})"),
                                         resource(ResourceKind::kv, "b", false, R"({"v":2})"),
                                         resource(ResourceKind::kv, "both", true, R"({"v":2})")};
  CHECK(resources_json(found.resources) == resources_json(all));
  CHECK(resources_json(found.needs.resources) == resources_json(all));
}

TEST_CASE("A capability can be needed and given at once") {
  TestStore store;
  DesiredState desired;
  desired.needs.capabilities = {{"x", false}};
  desired.capabilities = {"x", "y"};
  CHECK(desired_state_json(stored(store, desired)) == desired_state_json(desired));
}

TEST_CASE("Equal entries of one list become one, required if any was") {
  TestStore store;
  DesiredState desired;
  desired.needs.contracts = {{"a", true}, {"a", false}};
  desired.needs.surfaces = {{surface("Shop.Get"), false}, {surface("Shop.Get"), true}};
  desired.needs.capabilities = {{"x", true}, {"x", false}};
  desired.capabilities = {"x", "x"};
  const DesiredState found = stored(store, desired);
  REQUIRE(found.needs.contracts.size() == 1);
  CHECK(found.needs.contracts[0].required);
  REQUIRE(found.needs.surfaces.size() == 1);
  CHECK(found.needs.surfaces[0].required);
  REQUIRE(found.needs.capabilities.size() == 1);
  CHECK(found.needs.capabilities[0].required);
  CHECK(found.capabilities == Names{"x"});
}

TEST_CASE("A new desired state replaces the old one, of this deployment only") {
  TestStore store;
  DesiredState full;
  full.needs = full_needs();
  full.capabilities = {"x"};
  store.write([&](Writer &db) {
    put_authority(db, authority_of("b", full));
    put_authority(db, authority_of("a", full));
    Authority changed = authority_of("a");
    changed.kind = "device", changed.disabled = false, changed.version = "02V", changed.updated_at = 3;
    put_authority(db, changed);
  });
  const auto all = store.read(list_authorities);
  REQUIRE(all.size() == 2);
  CHECK(all[0].deployment_id == "a");
  CHECK(all[0].kind == "device");
  CHECK_FALSE(all[0].disabled);
  CHECK(all[0].version == "02V");
  CHECK(all[0].created_at == 1);
  CHECK(all[0].updated_at == 3);
  CHECK(desired_state_json(all[0].desired) == desired_state_json({}));
  CHECK(needs_json(all[1].desired.needs) == needs_json(full.needs));
}

TEST_CASE("A plan comes back as it was stored") {
  TestStore store;
  Plan plan = full_plan("p");
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    plan = Plan();
    plan.plan_id = "p";
  }
  store.write([&](Writer &db) { put_plan(db, plan); });
  const auto found = store.read([](Reader &db) { return find_plan(db, "p"); });
  REQUIRE(found);
  check_equal(*found, plan);
  CHECK_FALSE(store.read([](Reader &db) { return find_plan(db, "q"); }));
}

TEST_CASE("Plans are listed by deployment, time and id, and filtered") {
  TestStore store;
  store.write([](Writer &db) {
    const auto put = [&](const char *id, const char *deployment, UnixMs created_at, const char *state, bool migration) {
      Plan plan = full_plan(id);
      plan.deployment_id = deployment, plan.created_at = created_at, plan.state = state, plan.migration = migration;
      put_plan(db, plan);
    };
    put("d", "b", 1, "pending", false);
    put("c", "a", 2, "pending", false);
    put("b", "a", 2, "accepted", true);
    put("a", "a", 3, "pending", true);
  });
  const auto list = [&](PlanFilter filter) {
    return ids_of(store.read([&](Reader &db) { return list_plans(db, filter); }));
  };
  CHECK(list({}) == Names{"b", "c", "a", "d"});
  CHECK(list({"a", {}, {}}) == Names{"b", "c", "a"});
  CHECK(list({"a", "pending", {}}) == Names{"c", "a"});
  CHECK(list({"a", "pending", "migration"}) == Names{"a"});
  CHECK(list({"a", {}, "migration"}) == Names{"b", "a"});
  CHECK(list({{}, "pending", {}}) == Names{"c", "a", "d"});
  CHECK(list({{}, {}, "update"}) == Names{"c", "d"});
  CHECK(list({"c", {}, {}}).empty());
}

TEST_CASE("A materialization comes back as it was stored, and replaces grants and bindings together") {
  TestStore store;
  Materialization full;
  full.deployment_id = "shop", full.desired_version = "01V", full.status = "current";
  full.grants.capabilities = {"a"};
  full.grants.surfaces = {surface("Shop.Get"), surface("Shop.Any", SurfaceKind::feed, SurfaceAction::none)};
  full.grants.nats = {{.publish = true,
                       .subject = "rpc.v1.Shop.Get",
                       .surface = surface("Shop.Get"),
                       .required_capabilities = {"a"},
                       .source = GrantSource::used_surface},
                      {.publish = false,
                       .subject = "transfer.>",
                       .surface = std::nullopt,
                       .required_capabilities = {},
                       .source = GrantSource::transfer}};
  full.bindings = {{.kind = "jobs", .alias = "q", .binding = "{}", .created_at = 1, .updated_at = 2},
                   {.kind = "kv", .alias = "cache", .binding = R"({"bucket":"tr"})", .created_at = 3, .updated_at = 4}};
  full.reconciled_at = 5;
  full.error = "none";
  store.write([&](Writer &db) { put_materialization(db, full); });
  auto found = store.read([](Reader &db) { return find_materialization(db, "shop"); });
  REQUIRE(found);
  CHECK(found->desired_version == "01V");
  CHECK(found->status == "current");
  CHECK(grants_json(found->grants) == grants_json(full.grants));
  CHECK(found->bindings == full.bindings);
  CHECK(found->reconciled_at == 5);
  CHECK(found->error == "none");

  Materialization failed;
  failed.deployment_id = "shop", failed.desired_version = "02V", failed.status = "failed";
  store.write([&](Writer &db) { put_materialization(db, failed); });
  found = store.read([](Reader &db) { return find_materialization(db, "shop"); });
  REQUIRE(found);
  CHECK(grants_json(found->grants) == grants_json({}));
  CHECK(found->bindings.empty());
  CHECK_FALSE(found->reconciled_at);
  CHECK_FALSE(found->error);
  CHECK_FALSE(store.read([](Reader &db) { return find_materialization(db, "other"); }));
}

TEST_CASE("A reconciliation is one state and a row for each event") {
  TestStore store;
  Reconciliation running{.deployment_id = "shop",
                         .desired_version = "01V",
                         .state = "running",
                         .started_at = 1'000,
                         .finished_at = std::nullopt,
                         .message = "reconciliation started"};
  Reconciliation done = running;
  done.state = "succeeded", done.finished_at = 2'000, done.message = std::nullopt;
  store.write([&](Writer &db) {
    put_reconciliation(db, running, "{}");
    CHECK(find_reconciliation(db, "shop") == running);
    put_reconciliation(db, done, R"({"resourceBindings":2})");
  });
  store.read([&](Reader &db) {
    CHECK(find_reconciliation(db, "shop") == done);
    Row row = db.query("SELECT event_id, details FROM reconciliation_events ORDER BY created_at");
    REQUIRE(row.next());
    CHECK(row.text(0).starts_with("shop:running:1970-01-01T00:00:01.000Z:"));
    REQUIRE(row.next());
    CHECK(row.text(0).starts_with("shop:succeeded:1970-01-01T00:00:02.000Z:"));
    CHECK(row.text(1) == R"({"resourceBindings":2})");
    CHECK_FALSE(row.next());
    return true;
  });
}

TEST_CASE("Offers come back as they were stored") {
  TestStore store;
  Offer offer = full_offer();
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    offer.instance_id = std::nullopt;
    offer.accepted_at = offer.last_refreshed_at = offer.stale_at = offer.expires_at = std::nullopt;
  }
  Offer other = offer;
  other.deployment_id = "a", other.offer_id = "[\"a";
  store.write([&](Writer &db) {
    put_offer(db, offer);
    put_offer(db, other);
  });
  store.read([&](Reader &db) {
    CHECK(offers_of_deployment(db, "shop") == std::vector{offer});
    CHECK(list_offers(db) == std::vector{other, offer});
    return true;
  });
}

TEST_CASE("An offer's digest never changes") {
  TestStore store;
  Offer offer = full_offer();
  store.write([&](Writer &db) {
    put_offer(db, offer);
    offer.liveness = "disconnected", offer.stale_at = 9;
    put_offer(db, offer);
  });
  Offer changed = offer;
  changed.contract_digest = "other";
  CHECK_FALSE(store->write([&](Writer &db) -> Result<void> {
    put_offer(db, changed);
    return {};
  }));
  CHECK(store.read(list_offers) == std::vector{offer});
}

TEST_CASE("An offer's lineage in an older form can be put right") {
  TestStore store;
  Offer offer = full_offer();
  offer.lineage_key = "old";
  store.write([&](Writer &db) {
    put_offer(db, offer);
    offer.lineage_key = offer_lineage("shop", "acme.shop@v1");
    put_offer(db, offer);
  });
  CHECK(store.read(list_offers) == std::vector{offer});
}

TEST_CASE("Keys of offers are JSON without spaces") {
  CHECK(offer_lineage("a\"b", "c@v1") == R"(["service","a\"b","c@v1"])");
  CHECK(offer_id_of("a", "svc_1", "c@v1", "dig") == R"(["service","a","svc_1","c@v1","dig"])");
}

TEST_CASE("An offer is active while it is accepted and neither stale nor expired") {
  Offer offer = full_offer();
  offer.stale_at = offer.expires_at = std::nullopt;
  CHECK(is_active(offer, 10));
  SECTION("not accepted") {
    offer.status = "withdrawn";
  }
  SECTION("no time of acceptance") {
    offer.accepted_at = std::nullopt;
  }
  SECTION("stale now") {
    offer.stale_at = 10;
  }
  SECTION("expired now") {
    offer.expires_at = 10;
  }
  CHECK_FALSE(is_active(offer, 10));
}

TEST_CASE("An offer that gets stale later is active until then") {
  Offer offer = full_offer();
  offer.stale_at = offer.expires_at = 11;
  CHECK(is_active(offer, 10));
  CHECK_FALSE(is_active(offer, 11));
}

TEST_CASE("Capability definitions of a deployment are replaced as a whole") {
  TestStore store;
  const auto definition = [](const char *key, const char *direction, std::optional<std::string> consequence) {
    DeploymentCapability out;
    out.definition = {key, "Read", "Reads", std::move(consequence), direction};
    out.contract_id = "acme.shop@v1", out.contract_digest = "dig", out.contract_display_name = "Shop";
    return out;
  };
  store.write([&](Writer &db) {
    replace_capabilities(db, "other", {definition("z", "creates", {})});
    replace_capabilities(db, "shop", {definition("old", "creates", {})});
    replace_capabilities(
        db, "shop",
        {definition("b", "given", {}), definition("a", "given", {}), definition("a", "creates", "Sees all")});
  });
  const auto found = store.read([](Reader &db) { return capabilities_of(db, "shop"); });
  REQUIRE(found.size() == 3);
  CHECK(found[0].definition.key == "a");
  CHECK(found[0].definition.direction == "creates");
  CHECK(found[0].definition.consequence == "Sees all");
  CHECK(found[0].definition.display_name == "Read");
  CHECK(found[0].definition.description == "Reads");
  CHECK(found[0].contract_id == "acme.shop@v1");
  CHECK(found[0].contract_digest == "dig");
  CHECK(found[0].contract_display_name == "Shop");
  CHECK(found[1].definition.direction == "given");
  CHECK_FALSE(found[1].definition.consequence);
  CHECK(found[2].definition.key == "b");
  CHECK(store.read([](Reader &db) { return capabilities_of(db, "other").size(); }) == 1);
}

TEST_CASE("Capability groups come back by key") {
  TestStore store;
  const CapabilityGroup a{.group_key = "a",
                          .display_name = "A",
                          .description = "D",
                          .capabilities = {"x"},
                          .included_groups = {"b"},
                          .created_at = 1,
                          .updated_at = 2};
  CapabilityGroup b = a;
  b.group_key = "b", b.capabilities.clear(), b.included_groups.clear();
  store.write([&](Writer &db) {
    put_group(db, b);
    put_group(db, a);
  });
  CHECK(store.read(list_groups) == std::vector{a, b});
  store.write([](Writer &db) { CHECK(delete_group(db, "a")); });
  CHECK(store.read(list_groups) == std::vector{b});
}

TEST_CASE("Grant overrides of a deployment are replaced as a whole") {
  TestStore store;
  const GrantOverride web{.deployment_id = "shop",
                          .contract_id = "acme.console@v1",
                          .identity_kind = "web",
                          .origin = "https://acme.test",
                          .session_public_key = std::nullopt,
                          .grant_kind = "capability",
                          .capability = "admin",
                          .capability_group_key = std::nullopt};
  const GrantOverride session{.deployment_id = "shop",
                              .contract_id = "acme.console@v1",
                              .identity_kind = "session",
                              .origin = std::nullopt,
                              .session_public_key = "key",
                              .grant_kind = "capability-group",
                              .capability = std::nullopt,
                              .capability_group_key = "ops"};
  GrantOverride other = web;
  other.deployment_id = "a";
  store.write([&](Writer &db) {
    replace_overrides(db, "shop", {other});
    replace_overrides(db, "shop", {web, session});
    replace_overrides(db, "a", {other});
  });
  CHECK(store.read([](Reader &db) { return overrides_of(db, "shop"); }) == std::vector{session, web});
  CHECK(store.read(list_overrides) == std::vector{other, session, web});

  const auto twice = store->write([&](Writer &db) -> Result<void> {
    replace_overrides(db, "shop", {web, web});
    return {};
  });
  REQUIRE_FALSE(twice);
  CHECK(store.read([](Reader &db) { return overrides_of(db, "shop"); }) == std::vector{session, web});
}

TEST_CASE("Identity grants are one for each user and anchor") {
  TestStore store;
  const auto grant_of = [](const char *id, const char *user, const char *anchor) {
    return IdentityGrant{.identity_grant_id = id,
                         .user_id = user,
                         .provider = "github",
                         .subject = "42",
                         .anchor = anchor,
                         .answer = "approved",
                         .answered_at = 1,
                         .updated_at = 2,
                         .approval = R"({"capabilities":{}})",
                         .publish_subjects = {"p"},
                         .subscribe_subjects = {}};
  };
  const auto one = grant_of("g1", "usr_1", "{1}"), two = grant_of("g2", "usr_1", "{2}"),
             three = grant_of("g0", "usr_2", "{1}");
  store.write([&](Writer &db) {
    for (const auto &grant : {two, one, three})
      put_identity_grant(db, grant);
  });
  store.read([&](Reader &db) {
    CHECK(find_identity_grant(db, "g1") == one);
    CHECK(identity_grants_of(db, "usr_1") == std::vector{one, two});
    CHECK(list_identity_grants(db) == std::vector{three, one, two});
    return true;
  });
  CHECK_FALSE(store->write([&](Writer &db) -> Result<void> {
    put_identity_grant(db, grant_of("g3", "usr_1", "{1}"));
    return {};
  }));
  store.write([](Writer &db) {
    CHECK(delete_identity_grant(db, "g1"));
    CHECK_FALSE(delete_identity_grant(db, "g1"));
  });
  CHECK(store.read([](Reader &db) { return identity_grants_of(db, "usr_1"); }) == std::vector{two});
}

TEST_CASE("Each decision is one line of the audit, in order") {
  TestStore store;
  store.write([](Writer &db) {
    for (const char *action : {"a", "b", "c"})
      audit(db, 7, "usr_1", action, "shop", R"({"x":1})");
  });
  std::string actions;
  store.read([&](Reader &db) {
    Row row = db.query("SELECT at, actor, action, subject, details FROM audit ORDER BY at, audit_id");
    while (row.next()) {
      CHECK(row.integer(0) == 7);
      CHECK(row.text(1) == "usr_1");
      CHECK(row.text(3) == "shop");
      CHECK(row.text(4) == R"({"x":1})");
      actions += row.text(2);
    }
    return true;
  });
  CHECK(actions == "abc");
}

TEST_CASE("A stored kind that this program doesn't know is a storage error") {
  TestStore store;
  DesiredState desired;
  desired.needs = full_needs();
  store.write([&](Writer &db) { put_authority(db, authority_of("shop", desired)); });
  SECTION("surface") {
    store.write([](Writer &db) { db.execute("UPDATE authority_surfaces SET kind = 'x' WHERE name = 'Shop.Watch'"); });
  }
  SECTION("action") {
    store.write([](Writer &db) { db.execute("UPDATE authority_surfaces SET action = 'x' WHERE name = 'Shop.Watch'"); });
  }
  SECTION("resource") {
    store.write([](Writer &db) { db.execute("UPDATE authority_resources SET kind = 'x' WHERE alias = 'cache'"); });
  }
  const auto seen = store->read([](Reader &db) { return find_authority(db, "shop"); });
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == "storage");
}
