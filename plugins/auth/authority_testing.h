// What tests of the deployment authority stand on: the domain of callout_testing with the built-in contracts, a few
// contracts to plan, and calls that read like usage. Without resources nothing goes to JetStream.
#pragma once

#include "callout_testing.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "deployment_authority.h"
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth::testing {

std::string key_of(std::string_view label); // a session key: `label` padded with "-"

struct Answer {
  int status = 0;
  std::string body;
  std::string text(std::string_view member) const; // "" when it isn't there
};

class ControlPlane {
public:
  // `trellis`: where resources are made; nullptr = the domain's recording transport.
  explicit ControlPlane(Transport *trellis = nullptr);

  Domain domain;
  DeploymentAuthority authority;
  const Decider admin{R"({"type":"user","participantKind":"agent","userId":"usr_1","identity":{}})", "usr_1"};

  // orders_changed: incompatible with orders. rival: another id with the subject of orders.
  const Manifest orders, orders_changed, rival, app, stolen_id, stolen_subject, with_store, with_cache;

  void deploy(std::string_view deployment, std::string_view mode = "strict");
  void provision(std::string_view deployment, std::string_view instance);
  Answer bootstrap(std::string_view instance, const Manifest &contract,
                   const std::optional<BoundArtifact> &artifact = {});
  std::string plan(std::string_view deployment, const Manifest &contract); // plan id
  Result<std::string> accept(std::string_view plan_id);                    // with the method that fits
  void make_ready(std::string_view deployment, std::string_view instance, const Manifest &contract);
  Result<std::string> set_disabled(std::string_view deployment, bool disabled);
  std::string version(std::string_view deployment);
  int audited(std::string_view action, std::string_view actor = {}); // lines

  template <class Look>
  auto read(Look look) {
    auto looked = domain.db->read(look);
    if (!looked) throw std::runtime_error(looked.error().text());
    return std::move(*looked);
  }
};

} // namespace trellis::auth::testing
