#include "contracts/authority_json.h"

#include "contracts/json_write.h"

namespace trellis {
namespace {

template <class Item, class Write>
std::string list(const std::vector<Item> &items, const Write &write) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + write(item);
  return out + "]";
}

// In `grants.surfaces` the kind is called surfaceKind (02 §1.2).
JsonObjectText surface_members(const Surface &surface, std::string_view kind_member = "kind") {
  JsonObjectText out;
  out.text("contractId", surface.contract_id).text(kind_member, surface_kind_name(surface.kind));
  out.text("name", surface.name);
  if (surface.action != SurfaceAction::none) out.text("action", surface_action_name(surface.action));
  return out;
}

std::string contract_need_json(const ContractNeed &need) {
  return JsonObjectText().text("contractId", need.contract_id).flag("required", need.required).str();
}

std::string surface_need_json(const SurfaceNeed &need) {
  return surface_members(need.surface).flag("required", need.required).str();
}

std::string capability_need_json(const CapabilityNeed &need) {
  return JsonObjectText().text("capability", need.capability).flag("required", need.required).str();
}

std::string resource_json(const ResourceNeed &need) {
  JsonObjectText out;
  out.text("kind", resource_kind_name(need.kind)).text("alias", need.alias).flag("required", need.required);
  if (!need.definition.empty()) out.json("definition", need.definition);
  return out.str();
}

std::string nats_grant_json(const NatsGrant &grant) {
  JsonObjectText out;
  out.text("direction", grant.publish ? "publish" : "subscribe").text("subject", grant.subject);
  if (grant.surface) out.json("surface", surface_members(*grant.surface).str());
  out.texts("requiredCapabilities", grant.required_capabilities);
  return out.text("grantSource", grant_source_name(grant.source)).str();
}

void add_capability_text(JsonObjectText &out, std::string_view display_name, std::string_view description,
                         const std::optional<std::string> &consequence) {
  out.text("displayName", display_name).text("description", description);
  if (consequence) out.text("consequence", *consequence);
}

} // namespace

std::string needs_json(const Needs &needs) {
  return JsonObjectText()
      .json("contracts", list(needs.contracts, contract_need_json))
      .json("surfaces", list(needs.surfaces, surface_need_json))
      .json("capabilities", list(needs.capabilities, capability_need_json))
      .json("resources", resources_json(needs.resources))
      .str();
}

std::string surfaces_json(const std::vector<Surface> &surfaces) {
  return list(surfaces, [](const Surface &surface) { return surface_members(surface).str(); });
}

std::string resources_json(const std::vector<ResourceNeed> &resources) {
  return list(resources, resource_json);
}

std::string desired_state_json(const DesiredState &desired) {
  return JsonObjectText()
      .json("needs", needs_json(desired.needs))
      .texts("capabilities", desired.capabilities)
      .json("resources", resources_json(desired.resources))
      .json("surfaces", surfaces_json(desired.surfaces))
      .str();
}

std::string grants_json(const Grants &grants) {
  return JsonObjectText()
      .json("capabilities",
            list(grants.capabilities, [](const auto &key) { return JsonObjectText().text("capability", key).str(); }))
      .json("surfaces",
            list(grants.surfaces, [](const auto &surface) { return surface_members(surface, "surfaceKind").str(); }))
      .json("nats", list(grants.nats, nats_grant_json))
      .str();
}

std::string capability_definitions_json(const std::vector<CapabilityDefinition> &definitions,
                                        std::string_view deployment_id, const Manifest &contract) {
  return list(definitions, [&](const CapabilityDefinition &definition) {
    JsonObjectText out;
    out.text("deploymentId", deployment_id).text("key", definition.key);
    add_capability_text(out, definition.display_name, definition.description, definition.consequence);
    out.text("source", "contract").text("contractId", contract.id()).text("contractDigest", contract.digest());
    out.text("contractDisplayName", contract.model().display_name).text("direction", definition.direction);
    return out.str();
  });
}

std::string approval_json(const ApprovalPlan &plan) {
  JsonObjectText capabilities;
  for (const auto &[key, text] : plan.capabilities) {
    JsonObjectText described;
    add_capability_text(described, text.display_name, text.description, text.consequence);
    capabilities.json(key, described.str());
  }
  return JsonObjectText()
      .text("contractDigest", plan.contract_digest)
      .text("contractId", plan.contract_id)
      .text("displayName", plan.display_name)
      .text("description", plan.description)
      .text("participantKind", plan.participant_kind)
      .json("capabilities", capabilities.str())
      .str();
}

} // namespace trellis
