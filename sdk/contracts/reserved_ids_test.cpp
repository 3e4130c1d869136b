#include "contracts/reserved_ids.h"

#include <catch2/catch_test_macros.hpp>

using trellis::check_contract_id;

TEST_CASE("ids of the platform are for the control plane and the providers that serve them") {
  CHECK(check_contract_id("acme.billing@v1", "service"));
  CHECK(check_contract_id("trellisx.billing@v1", "service"));
  CHECK(check_contract_id("trellis.auth@v1", "control-plane"));
  CHECK(check_contract_id("trellis.jobs@v1", "jobs"));
  for (const auto *id : {"trellis.auth@v1", "trellis.billing@v1", "trellis.jobs@v1", "trellis."}) {
    INFO(id);
    const auto refused = check_contract_id(id, "service");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == "contract_id_reserved");
    CHECK(refused.error().where == "/id");
  }
  CHECK_FALSE(check_contract_id("trellis.auth@v1", "jobs"));
  CHECK(check_contract_id("trellis.jobs@v1", "service").error().expected == "a plugin with role = \"jobs\"");
}
