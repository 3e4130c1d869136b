#include "contracts/authority_accept.h"
#include "contracts/authority_json.h"
#include "contracts/authority_plan.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr char kNow[] = "2026-03-01T10:00:00.000Z";
const Surface kOwn = {"acme.shop@v1", SurfaceKind::rpc, "Shop.Get", SurfaceAction::call};
const Surface kUsed = {"dep.a@v1", SurfaceKind::rpc, "A.Get", SurfaceAction::call};
const Surface kOther = {"acme.other@v1", SurfaceKind::rpc, "Other.Get", SurfaceAction::call};

AcceptPlan plan(bool migration) {
  AcceptPlan out;
  out.plan_id = "P1";
  out.migration = migration;
  out.contract_id = "acme.shop@v1";
  out.provided = {kOwn};
  out.desired_change.emplace();
  out.desired_version = "V1";
  return out;
}

AcceptRequest update_request() {
  return {"P1", false, std::nullopt, ""};
}
AcceptRequest migration_request() {
  return {"P1", true, std::nullopt, "reviewed"};
}

AcceptAuthority authority(std::vector<Surface> surfaces = {}) {
  AcceptAuthority out;
  out.version = "V1";
  out.desired.surfaces = std::move(surfaces);
  return out;
}

Error refusal(const AcceptRequest &request, const AcceptPlan *with, const AcceptAuthority *of) {
  auto decided = decide_accept(request, with, of, kNow);
  REQUIRE_FALSE(decided);
  CHECK(decided.error().code == "validation");
  return std::move(decided.error());
}

} // namespace

TEST_CASE("a plan that does not exist can't be accepted") {
  const auto current = authority();
  const auto error = refusal(update_request(), nullptr, &current);
  CHECK(error.where == "/planId");
  CHECK(error.detail("planId") == "P1");
}

TEST_CASE("a plan that was decided says how") {
  auto decided = plan(false);
  decided.state = "rejected";
  const auto current = authority();
  const auto error = refusal(update_request(), &decided, &current);
  CHECK(error.where == "/planId");
  CHECK(error.detail("state") == "rejected");
}

TEST_CASE("a plan is refused from the moment it expires") {
  const auto current = authority();
  auto expiring = plan(false);
  expiring.expires_at = kNow;
  CHECK(refusal(update_request(), &expiring, &current).detail("expiresAt") == kNow);
  expiring.expires_at = "2026-03-01T10:00:00.001Z";
  CHECK(decide_accept(update_request(), &expiring, &current, kNow));
}

TEST_CASE("each method accepts plans of its own classification only") {
  const auto current = authority({kOwn});
  const auto migration = plan(true), update = plan(false);
  const auto error = refusal(update_request(), &migration, &current);
  CHECK(error.where == "/planId");
  CHECK(error.detail("expectedClassification") == "update");
  CHECK(error.detail("actualClassification") == "migration");
  CHECK(refusal(migration_request(), &update, &current).detail("expectedClassification") == "migration");
}

TEST_CASE("a migration without acknowledgement is refused, an update needs none") {
  const auto current = authority({kOwn});
  const auto migration = plan(true), update = plan(false);
  auto request = migration_request();
  request.acknowledgement.clear();
  CHECK(refusal(request, &migration, &current).where == "/acknowledgement");
  CHECK(decide_accept(update_request(), &update, &current, kNow));
}

TEST_CASE("a malformed change is refused before the deployment is looked at") {
  auto malformed = plan(false);
  malformed.desired_change.reset();
  CHECK(refusal(update_request(), &malformed, nullptr).where == "/planId");
}

TEST_CASE("a plan of a deployment without authority is refused") {
  const auto update = plan(false);
  CHECK(refusal(update_request(), &update, nullptr).where == "/deploymentId");
}

TEST_CASE("a plan is bound to the version that it was made for") {
  auto stale = plan(false);
  const auto current = authority();
  stale.desired_version = "V0";
  const auto error = refusal(update_request(), &stale, &current);
  CHECK(error.where == "/planId");
  CHECK(error.detail("plannedDesiredVersion") == "V0");
  CHECK(error.detail("actualDesiredVersion") == "V1");
  stale.desired_version.reset();
  CHECK(refusal(update_request(), &stale, &current).where == "/planId");
}

TEST_CASE("a version that the caller did not expect is refused") {
  const auto update = plan(false);
  const auto current = authority();
  auto request = update_request();
  request.expected_desired_version = "V9";
  const auto error = refusal(request, &update, &current);
  CHECK(error.where == "/expectedDesiredVersion");
  CHECK(error.detail("expectedDesiredVersion") == "V9");
  CHECK(error.detail("actualDesiredVersion") == "V1");
  request.expected_desired_version = "V1";
  CHECK(decide_accept(request, &update, &current, kNow));
}

TEST_CASE("a migration may not take away the authority of a contract that it does not name") {
  auto migration = plan(true);
  const auto current = authority({kOwn, kOther});
  const auto error = refusal(migration_request(), &migration, &current);
  CHECK(error.where == "/planId");
  CHECK(error.detail("planId") == "P1");
  CHECK(error.detail("contractId") == "acme.shop@v1");
  migration.requested.contracts = {{"acme.other@v1", false}};
  CHECK(decide_accept(migration_request(), &migration, &current, kNow));
}

TEST_CASE("there is nothing to migrate from an empty authority") {
  const auto migration = plan(true);
  const auto current = authority();
  CHECK(refusal(migration_request(), &migration, &current).where == "/planId");
  CHECK_FALSE(outside_migration_scope(current.desired, "acme.shop@v1", {}, {}));
}

TEST_CASE("resources and capabilities belong to no contract, so they don't count for the scope") {
  DesiredState current;
  current.resources = {{ResourceKind::kv, "cache", true, "{}"}};
  current.capabilities = {"a::x"};
  CHECK_FALSE(outside_migration_scope(current, "acme.shop@v1", {}, {}));
  current.needs.surfaces = {{kUsed, true}};
  CHECK(outside_migration_scope(current, "acme.shop@v1", {}, {}) == "dep.a@v1");
}

TEST_CASE("an update adds to what was there") {
  auto update = plan(false);
  update.desired_change->surfaces = {{kUsed, true}};
  update.desired_change->capabilities = {{"a::x", true}, {"b::y", true}};
  update.desired_change->resources = {{ResourceKind::kv, "cache", true, R"({"ttlMs":2})"}};
  auto current = authority({kOther});
  current.desired.capabilities = {"a::x"};
  current.desired.resources = {{ResourceKind::kv, "cache", false, R"({"ttlMs":1})"}};
  const auto after = decide_accept(update_request(), &update, &current, kNow);
  REQUIRE(after);
  CHECK(after->capabilities == std::vector<std::string>{"a::x", "b::y"});
  CHECK(after->surfaces == std::vector<Surface>{kOther, kOwn, kUsed});
  REQUIRE(after->resources.size() == 1);
  CHECK(after->resources[0].definition == R"({"ttlMs":2})");
  CHECK(after->needs.resources.size() == 1);
  CHECK(decision_reason(update_request()) == "accepted");
}

TEST_CASE("a migration leaves what the proposal asks for and nothing else") {
  auto migration = plan(true);
  migration.requested.capabilities = {{"a::x", true}};
  auto current = authority({kOwn});
  current.desired.capabilities = {"old::y"};
  current.desired.resources = {{ResourceKind::kv, "cache", true, "{}"}};
  const auto after = decide_accept(migration_request(), &migration, &current, kNow);
  REQUIRE(after);
  CHECK(after->capabilities == std::vector<std::string>{"a::x"});
  CHECK(after->resources.empty());
  CHECK(after->surfaces == std::vector<Surface>{kOwn});
  CHECK(decision_reason(migration_request()) == "reviewed");
}

TEST_CASE("storage keeps a surface that is needed and provided as a need, and one set of resources") {
  DesiredState desired;
  desired.needs.surfaces = {{kUsed, false}};
  desired.needs.resources = {{ResourceKind::kv, "cache", true, "{}"}};
  desired.surfaces = {kUsed, kOwn};
  desired.resources = {{ResourceKind::store, "files", true, "{}"}, {ResourceKind::kv, "cache", true, "{}"}};
  const auto stored = folded(desired);
  CHECK(stored.surfaces == std::vector<Surface>{kOwn});
  CHECK(stored.needs.surfaces.size() == 1);
  CHECK(stored.resources.size() == 2);
  CHECK(resources_json(stored.resources) == resources_json(stored.needs.resources));
  CHECK(desired_state_json(folded(stored)) == desired_state_json(stored));
}
