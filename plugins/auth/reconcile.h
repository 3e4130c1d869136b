// Reconciliation: from a deployment's desired state to resources and grants (02 §7, §8).
#pragma once

#include "authority_context.h"
#include "store/authority.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

struct Reconciled {
  Authority authority;
  Materialization materialization;
  Reconciliation reconciliation;
};

// [may block] One run; runs of one deployment wait for each other. A run that fails is a value, with the failed
// materialization stored. Errors: "validation" at /deploymentId or /desiredVersion, "storage".
Result<Reconciled> reconcile(AuthorityContext &context, std::string_view deployment_id,
                             const std::optional<std::string> &desired_version = std::nullopt);

// For callers whose own work is done whatever comes of it: trouble is logged.
void reconcile_or_log(AuthorityContext &context, std::string_view deployment_id);

// Every enabled authority in turn (02 §7.1).
void reconcile_enabled(AuthorityContext &context);

} // namespace trellis::auth
