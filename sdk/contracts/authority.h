// From a contract to what it asks for and what it may do on NATS (02 §1, §2, §8, §9): pure functions of values.
//
//   analyze()      contract + known contracts -> needs and provided surfaces        (02 §2)
//   materialize()  desired state + offers     -> grants                             (02 §8)
//   permissions()  grants + session key       -> the allow lists of the user JWT    (02 §9, 03 §6.5)
//
// The host's static policy, `trellis plugin inspect` and the control plane all go through these three.
#pragma once

#include "contracts/manifest.h"
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

enum class SurfaceKind { rpc, operation, event, feed };
enum class SurfaceAction { none, call, publish, subscribe, observe, cancel };
std::string_view surface_kind_name(SurfaceKind kind);
std::string_view surface_action_name(SurfaceAction action); // "" for none

struct Surface {
  std::string contract_id;
  SurfaceKind kind = SurfaceKind::rpc;
  std::string name;
  SurfaceAction action = SurfaceAction::none;
  auto operator<=>(const Surface &) const = default;
};

struct ContractNeed {
  std::string contract_id;
  bool required = false;
};
struct SurfaceNeed {
  Surface surface;
  bool required = false;
};
struct CapabilityNeed {
  std::string capability;
  bool required = false;
};
enum class ResourceKind { kv, store, jobs, event_consumer, transfer };
std::string_view resource_kind_name(ResourceKind kind); // "kv", "store", "jobs", "event-consumer", "transfer"
struct ResourceNeed {
  ResourceKind kind = ResourceKind::kv;
  std::string alias;
  bool required = false;
  std::string definition; // canonical JSON object (02 §2.4), or ""
};

struct Needs {
  std::vector<ContractNeed> contracts;
  std::vector<SurfaceNeed> surfaces;
  std::vector<CapabilityNeed> capabilities;
  std::vector<ResourceNeed> resources;
};
// Equal keys become one entry: required if any was, the rest from the last (02 §1.1).
Needs merge_needs(const std::vector<const Needs *> &parts);

// How `uses` are resolved (01 §11.1).
enum class Resolution { active, active_or_accepted, known, known_or_pending };

// Contracts that exist besides the one in question. `active` and `accepted` matter to Resolution only.
struct KnownContract {
  Manifest manifest;
  bool active = true;
  bool accepted = false; // the accepted dependency shape of its id (02 §2.1)
};
using KnownContracts = std::vector<KnownContract>;

struct CapabilityDefinition {
  std::string key, display_name, description;
  std::optional<std::string> consequence;
  std::string direction; // "creates" | "given"
};

struct Analysis {
  Needs required, optional;
  Needs contributed;             // own contract need; surfaces are in `provided`
  std::vector<Surface> provided; // 02 §2.5
  std::vector<CapabilityDefinition> definitions;
  Needs requested() const; // merge(required, optional, own contract need)
};

// Errors: "dependency_inactive" | "dependency_unknown" | "dependency_missing" | "dependency_incompatible" with details
// alias, contractId, surface, reason, key (digests, separated by commas, when incompatible); "analysis" for the generic
// error of 02 §2.3.
Result<Analysis> analyze(const Manifest &contract, const KnownContracts &known, Resolution resolution);

struct DesiredState {
  Needs needs;
  std::vector<std::string> capabilities;
  std::vector<ResourceNeed> resources;
  std::vector<Surface> surfaces;
};

// The part of an accepted implementation offer that materialization looks at (02 §8.1). Times as ISO text.
struct OfferRef {
  std::string offer_id, lineage_key, contract_id, contract_digest;
  std::string status;
  std::optional<std::string> accepted_at, last_refreshed_at;
};

enum class GrantSource { owned_surface, used_surface, resource_binding, platform_service, transfer };
std::string_view grant_source_name(GrantSource source);

struct NatsGrant {
  bool publish = false; // else subscribe
  std::string subject;
  std::optional<Surface> surface;
  std::vector<std::string> required_capabilities;
  GrantSource source = GrantSource::owned_surface;
};

struct Grants {
  std::vector<std::string> capabilities;
  std::vector<Surface> surfaces;
  std::vector<NatsGrant> nats;
};

enum class DeploymentKind { service, device };
Grants materialize(const DesiredState &desired, const std::vector<OfferRef> &offers, const KnownContracts &known,
                   DeploymentKind kind);

// What a resource binding adds to a service's permissions (02 §9.2); `binding` as JSON (02 §7.4).
struct BindingRef {
  ResourceKind kind = ResourceKind::kv;
  std::string alias;
  std::string binding;
};

struct ResponsePermission {
  int max = 1;
  bool streaming = false; // `ttl` of the JWT's lifetime (03 §6.5)
};

struct Permissions {
  std::vector<std::string> publish;   // sorted, without duplicates
  std::vector<std::string> subscribe; // the same, with the inbox
  ResponsePermission response;
  std::vector<std::string> capabilities; // of the principal
};

// `session_key`: text form; its first 16 characters name the inbox.
Permissions service_permissions(const Grants &grants, const std::vector<BindingRef> &bindings,
                                std::string_view session_key);
Permissions device_permissions(const Grants &grants, std::string_view session_key);

// 02 §10: what an app or agent contract delegates to a user's session. Error "kind", and those of analyze.
struct ApprovalPlan {
  std::string contract_id, contract_digest, display_name, description;
  std::string participant_kind; // "app" | "agent"
  std::map<std::string, CapabilityText> capabilities;
  std::vector<std::string> publish_subjects, subscribe_subjects;
};
Result<ApprovalPlan> plan_approval(const Manifest &contract, const KnownContracts &known);
Permissions user_permissions(const ApprovalPlan &plan, std::string_view session_key);

// 01 §13, in its order. `known`: every stored manifest. The value is the sorted list of namespaces. Codes are the
// categories of 01 §13; dependency errors carry the details of analyze. "dependency_unknown" is no failure of the
// check for a caller that stores nothing yet: it decides.
Result<std::vector<std::string>> install_check(const Manifest &contract, DeploymentKind kind,
                                               const std::vector<Manifest> &known);

} // namespace trellis
