// Needs, surfaces, grants and desired states as JSON (02 §1.1, §1.2): one codec for wire, store and terminal.
//
// The readers insist on every member that 02 §1 lists, with its type, and pass over members that it doesn't list
// (existing servers add some). They don't merge equal keys: that is merge_needs.
#pragma once

#include "contracts/authority.h"
#include "contracts/json.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// Compact text in the members' order of 02 §1. Errors of the readers: "authority_json", where = a JSON pointer.
std::string needs_json(const Needs &needs);
Result<Needs> needs_from_json(const JsonValue &value);
std::string surfaces_json(const std::vector<Surface> &surfaces);
Result<std::vector<Surface>> surfaces_from_json(const JsonValue &value);
std::string resources_json(const std::vector<ResourceNeed> &resources);
std::string desired_state_json(const DesiredState &desired);
Result<DesiredState> desired_state_from_json(const JsonValue &value);
std::string grants_json(const Grants &grants);
Result<Grants> grants_from_json(const JsonValue &value);
// The array of 02 §2.5, `contract` = the analysed one.
std::string capability_definitions_json(const std::vector<CapabilityDefinition> &definitions,
                                        std::string_view deployment_id, const Manifest &contract);
std::string approval_json(const ApprovalPlan &plan); // the `approval` object of 02 §10

std::optional<SurfaceKind> surface_kind_of(std::string_view name);
std::optional<SurfaceAction> surface_action_of(std::string_view name); // none for "", as a store keeps it
std::optional<ResourceKind> resource_kind_of(std::string_view name);

} // namespace trellis
