// What a request means for a deployment: does it fit, which kind of plan is it, and what does accepting it leave
// (02 §3, §4.5, §14.2, §14.4). Pure functions of values; storing and reconciling are the control plane's.
#pragma once

#include "contracts/authority.h"
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// 02 §3.
struct Fit {
  bool migration = false; // classification: "migration", else "update"
  bool fits = false;
  bool plan_required = false;
  Needs desired_change;
  Needs missing_availability;                    // without capabilities
  std::vector<std::string> missing_capabilities; // names
};
Fit classify(const Needs &current, const Needs &requested);
Needs current_needs(const DesiredState &desired); // step 1
// Entries of `requested` that `current` doesn't cover (steps 2 and 3).
Needs uncovered(const Needs &current, const Needs &requested);
bool is_empty(const Needs &needs);
bool equal_needs(const Needs &a, const Needs &b); // normalized, order and member order irrelevant

// 02 §4.5 "New desired state".
DesiredState accept_update(const DesiredState &before, const Needs &desired_change,
                           const std::vector<Surface> &provided);
DesiredState accept_migration(const Needs &requested, const std::vector<Surface> &provided);
// Check 7 (the others: authority_accept.h): the first contract id outside the proposal, or "" when the scope is right.
// nullopt: an empty current state.
std::optional<std::string> outside_migration_scope(const DesiredState &current, std::string_view contract_id,
                                                   const Needs &requested, const std::vector<Surface> &provided);
// What storage makes of it (02 §4.5 last paragraph).
DesiredState folded(const DesiredState &desired);

// 02 §14.2. The built-in group "admin" is known without being in `groups`.
struct GroupContent {
  std::vector<std::string> capabilities, included_groups;
};
using Groups = std::map<std::string, GroupContent, std::less<>>;
std::vector<std::string> resolve_capabilities(const std::vector<std::string> &direct,
                                              const std::vector<std::string> &group_keys, const Groups &groups);
const std::vector<std::string> &admin_group_capabilities(); // in the order of 05 §1

// 02 §14.4, 04 §9: the login of a user with a contract.
struct AppIdentity { // made by wire/app_identity.h, which can parse a URL
  std::string contract_id;
  std::optional<std::string> origin; // of an absolute redirectTo
};
std::string identity_anchor_json(const AppIdentity &app, std::string_view session_key); // member order of 02 §14.5
std::string identity_grant_id(std::string_view user_id, std::string_view anchor_json);

struct ApprovalOverride { // of an enabled deployment (02 §14.3)
  std::string contract_id;
  std::optional<std::string> origin, session_public_key;
  std::optional<std::string> capability, capability_group;
};
struct ApprovalGrant { // a stored identity grant of this user
  std::string anchor;  // JSON
  bool approved = true;
  std::vector<std::string> capabilities, publish_subjects, subscribe_subjects;
};
struct ApprovalFacts {
  std::vector<std::string> user_capabilities, user_groups;
  Groups groups;
  std::vector<ApprovalOverride> overrides;
  std::vector<DesiredState> enabled; // desired states of the enabled deployments
  KnownContracts known;              // built-in contracts included
  std::vector<Manifest> builtin;
  std::vector<ApprovalGrant> grants;
};
struct ApprovalDecision {
  std::vector<std::string> required, effective, missing; // capability keys, sorted
  enum class Source { none, stored_approval, deployment_grant } source = Source::none;
  bool approved = false; // with source none: ask the user
};
// `missing` and `source` are decided apart: a stored approval doesn't bring back a capability that the user lost, so
// look at `missing` first. Errors: those of plan_approval and analyze.
Result<ApprovalDecision> decide_approval(const Manifest &contract, const ApprovalPlan &plan, const AppIdentity &app,
                                         std::string_view session_key, const ApprovalFacts &facts);

} // namespace trellis
