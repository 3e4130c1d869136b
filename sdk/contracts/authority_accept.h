// Accepting a plan: checks 1 to 7 of 02 §4.5 and the desired state that follows. Pure, so that the control plane and
// the vectors run the same code; check 8, the compare-and-swap, belongs to whoever stores it.
#pragma once

#include "contracts/authority.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

struct AcceptRequest {
  std::string plan_id;
  bool migration = false; // AcceptMigration, else AcceptUpdate
  std::optional<std::string> expected_desired_version;
  std::string acknowledgement; // "" when absent
};

struct AcceptPlan {
  std::string plan_id;
  std::string state = "pending";
  bool migration = false;
  std::optional<std::string> expires_at; // ISO text
  std::string contract_id;               // proposal
  Needs requested;
  std::vector<Surface> provided;
  std::optional<Needs> desired_change;        // nullopt: what is stored is malformed
  std::optional<std::string> desired_version; // proposal.summary.desiredVersion
};

struct AcceptAuthority {
  std::string version;
  DesiredState desired;
};

// All errors: code "validation", where = the member of the request ("/planId" ...), details = the context of 05 §6.6.

// Check 1 without the classification, which is also all that Reject checks. `now`: ISO text.
Result<void> check_undecided(std::string_view plan_id, const AcceptPlan *plan, std::string_view now);

// `plan`, `authority`: nullptr when there is none. The value is what AcceptUpdate and AcceptMigration reply with; what
// storage makes of it is folded() of contracts/authority_plan.h.
Result<DesiredState> decide_accept(const AcceptRequest &request, const AcceptPlan *plan,
                                   const AcceptAuthority *authority, std::string_view now);
// The plan's decisionReason afterwards.
std::string decision_reason(const AcceptRequest &request);

} // namespace trellis
