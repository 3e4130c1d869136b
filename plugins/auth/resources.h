// The NATS resources behind a deployment's desired state (02 §7.2 to §7.5): made, changed and removed with it.
//
// An interface, because reconciliation has to be right whatever a run makes of them.
#pragma once

#include "contracts/authority.h"
#include "store/authority.h"
#include <functional>
#include <string>
#include <vector>

namespace trellis::auth {

struct ProvisionRequest {
  std::string deployment_id;
  std::vector<ResourceNeed> desired;  // without transfer, by "<kind>:<alias>"
  std::vector<StoredBinding> stored;  // of the last run
  std::vector<std::string> owned_ids; // contracts that the deployment owns through an offer (02 §8.1)
  UnixMs now = 0;
  // Names of earlier runs that ended without their result being stored (store/reserved_resources.h); taken up again,
  // or deleted when nothing asks for them any more.
  std::vector<StoredBinding> reserved = {};
  // [may block] Called at most once, before anything is created, with what gets a new name. An error ends the run.
  std::function<Result<void>(const std::vector<StoredBinding> &)> reserve = {};
};

class ResourceProvisioner {
public:
  virtual ~ResourceProvisioner() = default;
  // [may block] Every desired resource exists as it should and those that are gone from the desired state are deleted;
  // or an error, and what this run created is gone again. One run at a time for a deployment.
  virtual Result<std::vector<StoredBinding>> provision(const ProvisionRequest &request) = 0;
};

// `needs.resources` and `resources` of a desired state as one list, as ProvisionRequest wants it.
std::vector<ResourceNeed> desired_resources(const DesiredState &desired);

// As sdk/contracts takes them; bindings of kinds that we don't know are left out.
std::vector<BindingRef> binding_refs(const std::vector<StoredBinding> &bindings);

// `resources` of a bootstrap's or Trellis.Bindings.Get's binding (02 §7.4): those bindings that `requested` names.
std::string bound_resources_json(const std::vector<StoredBinding> &bindings,
                                 const std::vector<ResourceNeed> &requested);

} // namespace trellis::auth
