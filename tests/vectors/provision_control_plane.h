// One control plane for a case of resource-bindings, kind provision: its store is new, its JetStream a real server's.
#pragma once

#include "callout_testing.h"
#include "contracts/json.h"
#include "deployment_authority.h"
#include "nats/nats_transport.h"
#include "transport/jetstream.h"
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::vectors {

// Every name of `what` ("STREAM", or "CONSUMER" of `stream`) with its configuration as JSON, sorted.
std::vector<std::pair<std::string, std::string>> listed(JetStream &jetstream, const std::string &what,
                                                        const std::string &stream = "");

class ProvisionControlPlane {
public:
  // Ends with the case; the server's streams of earlier cases are removed.
  ProvisionControlPlane(NatsTransport &nats, bool event_stream, const JsonValue &known_contracts);

  // Plans, accepts, reconciles and bootstraps; the members of a round that `expected` describes.
  JsonDocument run(const JsonValue &round);

private:
  void know(const JsonValue &known_contracts);
  JsonDocument request(const std::string &what, const Result<std::string> &answer) const;
  void create_deployment(const std::string &deployment);
  std::string accept_plan(const std::string &deployment, const Manifest &contract); // its classification
  JsonDocument bootstrap(const std::string &deployment, const Manifest &contract);

  JetStream jetstream_;
  auth::testing::Domain domain_;
  auth::DeploymentAuthority authority_;
  std::map<std::string, std::string, std::less<>> deployments_; // -> the key of its instance
};

} // namespace trellis::vectors
