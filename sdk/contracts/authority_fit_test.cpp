#include "contracts/authority_plan.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

const Surface kCall = {"a@v1", SurfaceKind::rpc, "A.Get", SurfaceAction::call};

Needs contract_need(bool required) {
  Needs needs;
  needs.contracts = {{"a@v1", required}};
  return needs;
}

Needs kv_need(const std::string &definition, bool required = true) {
  Needs needs;
  needs.resources = {{ResourceKind::kv, "cache", required, definition}};
  return needs;
}

} // namespace

TEST_CASE("an empty request fits an empty authority without a plan") {
  const auto fit = classify({}, {});
  CHECK(fit.fits);
  CHECK_FALSE(fit.migration);
  CHECK_FALSE(fit.plan_required);
}

TEST_CASE("what is new is an update, told apart into availability and capabilities") {
  auto requested = contract_need(true);
  requested.surfaces = {{kCall, true}};
  requested.capabilities = {{"a::x", true}, {"a::y", false}};
  const auto fit = classify({}, requested);
  CHECK_FALSE(fit.fits);
  CHECK_FALSE(fit.migration);
  CHECK(fit.plan_required);
  CHECK(equal_needs(fit.desired_change, requested));
  CHECK(fit.missing_capabilities == std::vector<std::string>{"a::x", "a::y"});
  CHECK(fit.missing_availability.capabilities.empty());
  CHECK(fit.missing_availability.surfaces.size() == 1);
}

TEST_CASE("an optional use that becomes required is an update, the other way round is nothing") {
  CHECK(classify(contract_need(false), contract_need(true)).plan_required);
  CHECK_FALSE(classify(contract_need(true), contract_need(false)).plan_required);
  CHECK_FALSE(classify(contract_need(false), contract_need(false)).plan_required);
}

TEST_CASE("a surface with another action is another surface") {
  Needs current, requested;
  current.surfaces = {{kCall, true}};
  requested.surfaces = {{{"a@v1", SurfaceKind::rpc, "A.Get", SurfaceAction::observe}, true}};
  CHECK_FALSE(classify(current, requested).fits);
}

TEST_CASE("dropped surfaces and capabilities change nothing, a dropped resource is a migration") {
  auto current = contract_need(true);
  current.surfaces = {{kCall, true}};
  current.capabilities = {{"a::x", true}};
  CHECK_FALSE(classify(current, contract_need(true)).plan_required);

  const auto fit = classify(kv_need("{}"), {});
  CHECK(fit.migration);
  CHECK(fit.fits);
  CHECK(fit.plan_required);
  CHECK(is_empty(fit.desired_change));
}

TEST_CASE("a resource that is required now and defined differently appears twice in the change") {
  const auto fit = classify(kv_need(R"({"ttlMs":1})", false), kv_need(R"({"ttlMs":2})"));
  CHECK(fit.migration);
  CHECK(fit.desired_change.resources.size() == 2);
  CHECK(fit.missing_availability.resources.size() == 1);
}

TEST_CASE("a definition that is absent differs from one that is there") {
  CHECK(classify(kv_need(""), kv_need("{}")).migration);
  CHECK_FALSE(classify(kv_need("{}"), kv_need("{}")).plan_required);
}

TEST_CASE("a request without plan is one that surfaces of the desired state cover") {
  DesiredState desired;
  desired.surfaces = {kCall};
  desired.capabilities = {"a::x"};
  desired.resources = {{ResourceKind::kv, "cache", false, "{}"}};
  Needs requested;
  requested.surfaces = {{kCall, true}};
  requested.capabilities = {{"a::x", true}};
  requested.resources = {{ResourceKind::kv, "cache", false, "{}"}};
  CHECK_FALSE(classify(current_needs(desired), requested).plan_required);
  CHECK(is_empty(uncovered(current_needs(desired), requested)));
}

TEST_CASE("needs are equal whatever their order, and not when one word differs") {
  Needs a, b;
  a.capabilities = {{"x", true}, {"y", false}};
  b.capabilities = {{"y", false}, {"x", false}, {"x", true}};
  CHECK(equal_needs(a, b));
  b.capabilities[0].required = true;
  CHECK_FALSE(equal_needs(a, b));
  CHECK_FALSE(equal_needs(kv_need("{}"), kv_need("")));
}
