// Deployments and their authority: service bootstrap, plans, reconciliation (02 §4–§8, §13; 04 §7).
//
// One object, because everything here changes the same records under the same rule: one reconciliation of a deployment
// at a time. Blocking; callers come from lanes and handlers.
#pragma once

#include "connections.h"
#include "core.h"
#include "store/authority.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis::auth {

class ResourceProvisioner;

struct BootstrapAnswer {
  int status = 0;
  std::string body; // JSON
};

// The file that a host in this process loads a contract from (trellis.policy/1 bootstrap_artifact).
struct BoundArtifact {
  std::string sha256;
  std::string signer; // minisign public key, or ""
  bool operator==(const BoundArtifact &) const = default;
};

// What a failed administrative call becomes: ValidationError at `where` for code "validation", AuthError with reason =
// `where` for code "auth", UnexpectedError otherwise; details go into the context.

struct Decider {    // a user that decides, for `decisionBy` (02 §4.5) and the audit lines
  std::string json; // {type, participantKind, userId, identity}
  std::string user_id;
};

class DeploymentAuthority {
public:
  // `trellis`: for JetStream resources. `sentinel_json`, `transports_json`: parts of the ready body (04 §5).
  DeploymentAuthority(Core &core, Connections &connections, Transport &trellis, Transport &system,
                      std::string sentinel_json, std::string transports_json);
  // With another provisioner of resources: for tests of what its failures lead to.
  DeploymentAuthority(Core &core, Connections &connections, std::unique_ptr<ResourceProvisioner> resources,
                      std::string sentinel_json, std::string transports_json);
  ~DeploymentAuthority();

  // POST /bootstrap/service (04 §7), the whole route. `proofs_valid`: the vectors' way around signatures.
  BootstrapAnswer bootstrap(std::string_view body, bool proofs_valid = false,
                            const std::optional<BoundArtifact> &artifact = {});
  // trellis.policy/1 enroll.
  BootstrapAnswer enroll(std::string_view deployment_id, std::string_view session_key);

  // RPC bodies of 05 §6.4 to §6.6, in and out as JSON texts; inputs have passed their schemas.
  Result<std::string> create_deployment(std::string_view input, const Decider &by = {});
  Result<std::string> list_deployments(std::string_view input);
  Result<std::string> set_deployment_disabled(std::string_view input, bool disabled, const Decider &by = {});
  Result<std::string> remove_deployment(std::string_view input, const Decider &by = {});
  Result<std::string> provision_instance(std::string_view input, const Decider &by = {});
  Result<std::string> list_instances(std::string_view input);
  Result<std::string> set_instance_disabled(std::string_view input, bool disabled, const Decider &by = {});
  Result<std::string> remove_instance(std::string_view input, const Decider &by = {});
  Result<std::string> list_authorities(std::string_view input);
  Result<std::string> get_authority(std::string_view input);
  Result<std::string> plan(std::string_view input, const Decider &by = {});
  Result<std::string> list_plans(std::string_view input);
  Result<std::string> get_plan(std::string_view input);
  Result<std::string> accept(std::string_view input, bool migration, const Decider &by);
  Result<std::string> reject(std::string_view input, const Decider &by);
  Result<std::string> reconcile(std::string_view input, const Decider &by = {});

  // trellis.core@v1 (02 §12). `caller`: the caller object's JSON.
  Result<std::string> catalog();
  Result<std::string> get_contract(std::string_view input);
  Result<std::string> get_bindings(std::string_view input, std::string_view caller);
  Result<std::string> surface_status(std::string_view input, std::string_view caller);

  // One pass over all enabled authorities (02 §7.1), for start-up.
  void reconcile_all();
  // Runs whenever a bootstrap answer may differ from before; on the thread that made the difference, without locks.
  // [may block] When this returns, no earlier callback is running. Not to be called inside the callback.
  void on_change(std::function<void()> changed);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis::auth
