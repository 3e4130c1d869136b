#include "store/reserved_resources.h"
#include "store/store_test.h"

using namespace trellis;
using namespace trellis::auth;

namespace {

StoredBinding name(const std::string &kind, const std::string &alias, const std::string &binding) {
  return {kind, alias, binding, 5, 5};
}

} // namespace

TEST_CASE("Reserved names are kept by deployment, kind and alias until they are dropped together") {
  TestStore store;
  store.write([](Writer &db) {
    reserve_resource(db, "shop", name("kv", "cache", R"({"bucket":"first"})"));
    reserve_resource(db, "shop", name("jobs", "mail", "{}"));
    reserve_resource(db, "other", name("kv", "cache", "{}"));
    reserve_resource(db, "shop", name("kv", "cache", R"({"bucket":"second"})"));
  });
  store.reopen();
  const auto of = [&](const char *deployment) {
    return store.read([&](Reader &db) { return reserved_resources(db, deployment); });
  };
  CHECK(of("shop") == std::vector{name("jobs", "mail", "{}"), name("kv", "cache", R"({"bucket":"second"})")});
  store.write([](Writer &db) { drop_reserved_resources(db, "shop"); });
  CHECK(of("shop").empty());
  CHECK(of("other").size() == 1);
}
