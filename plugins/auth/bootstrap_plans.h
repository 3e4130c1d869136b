// Plans that service bootstrap records: found again when nothing changed (02 §4.3), and those for an incompatible
// successor of what the deployment runs (02 §4.4).
#pragma once

#include "authority_context.h"
#include "contracts/authority_plan.h"
#include "contracts/manifest.h"
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
  const Needs &requested; // in wire order
};

// A pending plan for this request at this version: one that exists, or a new one.
Result<Plan> pending_plan(AuthorityContext &context, const PlanRequest &request, const Fit &fit);

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
