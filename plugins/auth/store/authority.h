// Deployment authority as stored: contracts, desired state, plans, materializations, offers, grants (02 §16).
//
// What a record means is decided in sdk/contracts; here it is kept and found. Desired states are stored by member, as
// 02 §16 folds them: a surface that is a need and provided is a need, and resources and needs.resources are one set.
#pragma once

#include "contracts/authority.h"
#include "store/accounts.h"
#include <optional>
#include <string>
#include <vector>

namespace trellis::auth {

struct StoredContract {
  std::string digest, contract_id, display_name, description;
  std::string canonical; // the normalized manifest
  UnixMs installed_at = 0;
  bool operator==(const StoredContract &) const = default;
};

struct Authority {
  std::string deployment_id;
  std::string kind; // "service" | "device"
  bool disabled = false;
  std::string version; // ULID
  DesiredState desired;
  UnixMs created_at = 0, updated_at = 0;
};

struct Plan {
  std::string plan_id, deployment_id;
  bool migration = false;        // classification
  std::string state = "pending"; // "pending" | "accepted" | "rejected" | "expired"
  // proposal
  std::string contract_id, contract_digest, contract; // canonical manifest
  Needs requested;
  std::vector<Surface> provided;
  std::string summary = "{}"; // JSON object
  Needs desired_change;
  std::string preview = "{}"; // JSON object
  Names warnings;
  bool acknowledgement_required = false;
  UnixMs created_at = 0;
  std::optional<UnixMs> expires_at, decision_at;
  std::optional<std::string> decision_by; // JSON object
  std::optional<std::string> decision_reason;
};

struct StoredBinding {
  std::string kind, alias;
  std::string binding; // JSON object (02 §7.4)
  UnixMs created_at = 0, updated_at = 0;
  bool operator==(const StoredBinding &) const = default;
};

struct Materialization {
  std::string deployment_id, desired_version;
  std::string status; // "current" | "pending" | "failed"
  Grants grants;
  std::vector<StoredBinding> bindings;
  std::optional<UnixMs> reconciled_at;
  std::optional<std::string> error;
};

struct Reconciliation {
  std::string deployment_id, desired_version;
  std::string state; // "idle" | "running" | "succeeded" | "failed"
  std::optional<UnixMs> started_at, finished_at;
  std::optional<std::string> message;
  bool operator==(const Reconciliation &) const = default;
};

struct Offer {
  std::string offer_id, lineage_key; // 02 §11.1
  std::string deployment_id;
  std::string deployment_kind = "service";
  std::optional<std::string> instance_id;
  std::string contract_id, contract_digest;
  std::string status = "accepted";
  std::string liveness = "healthy"; // "unknown" | "healthy" | "unhealthy" | "disconnected"
  UnixMs first_offered_at = 0;
  std::optional<UnixMs> accepted_at, last_refreshed_at, stale_at, expires_at;
  bool operator==(const Offer &) const = default;
};
bool is_active(const Offer &offer, UnixMs now); // 02 §11.2
std::string offer_lineage(std::string_view deployment_id, std::string_view contract_id);
std::string offer_id_of(std::string_view deployment_id, std::string_view instance_id, std::string_view contract_id,
                        std::string_view digest);

struct DeploymentCapability { // a capability definition of a deployment (02 §2.5)
  CapabilityDefinition definition;
  std::string contract_id, contract_digest, contract_display_name;
};

struct CapabilityGroup { // 02 §14.1; the built-in one isn't stored
  std::string group_key, display_name, description;
  Names capabilities, included_groups;
  UnixMs created_at = 0, updated_at = 0;
  bool operator==(const CapabilityGroup &) const = default;
};

struct GrantOverride { // 02 §14.3
  std::string deployment_id, contract_id;
  std::string identity_kind; // "web" | "session"
  std::optional<std::string> origin, session_public_key;
  std::string grant_kind; // "capability" | "capability-group"
  std::optional<std::string> capability, capability_group_key;
  bool operator==(const GrantOverride &) const = default;
};

struct IdentityGrant { // 02 §14.5, §16
  std::string identity_grant_id, user_id;
  std::string provider, subject;
  std::string anchor;              // JSON, member order of 02 §14.5
  std::string answer = "approved"; // | "denied"
  UnixMs answered_at = 0, updated_at = 0;
  std::string approval; // JSON of 02 §10's approval
  Names publish_subjects, subscribe_subjects;
  bool operator==(const IdentityGrant &) const = default;
};

std::optional<StoredContract> find_contract(Reader &db, std::string_view digest);
std::vector<StoredContract> contracts_of_id(Reader &db, std::string_view contract_id); // by digest
std::vector<StoredContract> list_contracts(Reader &db);
bool add_contract(Writer &db, const StoredContract &contract); // keeps what exists; true: it was new

std::optional<Authority> find_authority(Reader &db, std::string_view deployment_id);
std::vector<Authority> list_authorities(Reader &db);
void put_authority(Writer &db, const Authority &authority);

std::optional<Plan> find_plan(Reader &db, std::string_view plan_id);
struct PlanFilter {
  std::optional<std::string> deployment_id, state, classification;
};
std::vector<Plan> list_plans(Reader &db, const PlanFilter &filter); // by deployment, created_at, plan_id
void put_plan(Writer &db, const Plan &plan);

std::optional<Materialization> find_materialization(Reader &db, std::string_view deployment_id);
void put_materialization(Writer &db, const Materialization &materialization);
std::optional<Reconciliation> find_reconciliation(Reader &db, std::string_view deployment_id);
// Also adds the event row (02 §7.1); `details`: JSON object.
void put_reconciliation(Writer &db, const Reconciliation &reconciliation, std::string_view details);

std::vector<Offer> offers_of_deployment(Reader &db, std::string_view deployment_id); // by offer_id
std::vector<Offer> list_offers(Reader &db);
void put_offer(Writer &db, const Offer &offer);

std::vector<DeploymentCapability> capabilities_of(Reader &db, std::string_view deployment_id);
void replace_capabilities(Writer &db, std::string_view deployment_id, const std::vector<DeploymentCapability> &all);

std::vector<CapabilityGroup> list_groups(Reader &db); // by key
void put_group(Writer &db, const CapabilityGroup &group);
bool delete_group(Writer &db, std::string_view group_key); // false: there was none

std::vector<GrantOverride> list_overrides(Reader &db);
std::vector<GrantOverride> overrides_of(Reader &db, std::string_view deployment_id);
void replace_overrides(Writer &db, std::string_view deployment_id, const std::vector<GrantOverride> &all);

std::optional<IdentityGrant> find_identity_grant(Reader &db, std::string_view identity_grant_id);
std::vector<IdentityGrant> identity_grants_of(Reader &db, std::string_view user_id); // by id
std::vector<IdentityGrant> list_identity_grants(Reader &db);                         // of all users, by id
void put_identity_grant(Writer &db, const IdentityGrant &grant);
bool delete_identity_grant(Writer &db, std::string_view identity_grant_id);

// One line for each decision (ARCHITECTURE §7), in its own table. `details`: JSON object without secrets.
void audit(Writer &db, UnixMs now, std::string_view actor, std::string_view action, std::string_view subject,
           std::string_view details);

} // namespace trellis::auth
