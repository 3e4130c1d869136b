#include "contracts/authority_plan.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

using Keys = std::vector<std::string>;

Keys admin_sorted() {
  auto keys = admin_group_capabilities();
  std::sort(keys.begin(), keys.end());
  return keys;
}

} // namespace

TEST_CASE("direct capabilities come sorted and once") {
  CHECK(resolve_capabilities({"b::x", "a::y", "b::x"}, {}, {}) == Keys{"a::y", "b::x"});
}

TEST_CASE("the direct capability admin brings the built-in group") {
  CHECK(resolve_capabilities({"admin"}, {}, {}) == admin_sorted());
}

TEST_CASE("a capability admin from another group does not bring the built-in group") {
  CHECK(resolve_capabilities({}, {"ops"}, {{"ops", {{"admin"}, {}}}}) == Keys{"admin"});
}

TEST_CASE("the built-in group can be included and not be shadowed") {
  const Groups groups = {{"admin", {{"ignored::cap"}, {}}}, {"ops", {{}, {"admin"}}}};
  CHECK(resolve_capabilities({}, {"ops"}, groups) == admin_sorted());
}

TEST_CASE("groups include each other in circles, and unknown ones are passed over") {
  const Groups groups = {{"ops", {{"a::1"}, {"base", "ghost"}}}, {"base", {{"a::2"}, {"ops", "base"}}}};
  CHECK(resolve_capabilities({"z"}, {"ops", "nobody"}, groups) == Keys{"a::1", "a::2", "z"});
}
