// Plans that service bootstrap records: found again when nothing changed (02 §4.3), and those for an incompatible
// successor of what the deployment runs (02 §4.4).
#pragma once

#include "authority_context.h"
#include "contracts/authority_plan.h"
#include "contracts/manifest.h"
#include "deployment_authority.h"
#include "store/authority.h"
#include <optional>
#include <string>

namespace trellis::auth {

// What is asked of a deployment, by whom.
struct PlanRequest {
  const Authority &authority;
  const std::string &instance_id;
  const Manifest &contract;
  const Analysis &analysis;
  const Needs &requested;        // in wire order
  const BoundArtifact *artifact; // that the approval has to be of; nullptr: of the contract
};

// A pending plan for this request at this version: one that exists, or a new one.
Result<Plan> pending_plan(AuthorityContext &context, const PlanRequest &request, const Fit &fit);

// Whether a plan of this contract from this file was accepted for the deployment, at any time: going back to a file
// that was approved before needs no new approval, as with contracts.
bool is_artifact_accepted(Reader &db, const PlanRequest &request);

// 02 §4.4. `latest_digest`: what the deployment runs; `why`: the incompatibility.
struct Incompatibility {
  std::string latest_digest, why;
};
// Step 2: an accepted migration covers it.
bool is_covered(Reader &db, const PlanRequest &request, const Incompatibility &incompatibility);
// Step 3.
Result<Plan> pending_migration(AuthorityContext &context, const PlanRequest &request,
                               const Incompatibility &incompatibility);
// Step 5: accepted at once. Error "version_changed" when somebody else was faster; nothing is stored then.
Result<void> accept_mutable(AuthorityContext &context, const PlanRequest &request,
                            const Incompatibility &incompatibility);

// The rows of 02 §2.5 for storage.
std::vector<DeploymentCapability> capability_rows(const Analysis &analysis, const Manifest &contract);

} // namespace trellis::auth
