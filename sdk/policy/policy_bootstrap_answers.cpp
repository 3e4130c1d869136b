#include "policy/policy_bootstrap_answers.h"
#include "contracts/json.h"
#include <rapidjson/document.h>

namespace trellis {
namespace {

// A static policy has no versions and no plans: one constant version, and a plan that is named after what it asks for,
// so that asking again gets the same answer.
constexpr char kDesiredVersion[] = "00000000000000000000000000";
std::string plan_id(const BootstrapContext &context) {
  return "static:" + context.contract_digest;
}

template <class Items, class Write>
std::string list_json(const Items &items, const Write &write) {
  std::string out;
  for (const auto &item : items)
    out += (out.empty() ? "" : ",") + write(item);
  return "[" + out + "]";
}

std::string contract_json(const ContractNeed &need) {
  return JsonObjectText().text("contractId", need.contract_id).flag("required", need.required).str();
}

std::string surface_json(const SurfaceNeed &need) {
  JsonObjectText out;
  out.text("contractId", need.surface.contract_id).text("kind", surface_kind_name(need.surface.kind));
  out.text("name", need.surface.name);
  if (need.surface.action != SurfaceAction::none) out.text("action", surface_action_name(need.surface.action));
  return out.flag("required", need.required).str();
}

std::string capability_json(const CapabilityNeed &need) {
  return JsonObjectText().text("capability", need.capability).flag("required", need.required).str();
}

std::string resource_json(const ResourceNeed &need) {
  JsonObjectText out;
  out.text("kind", resource_kind_name(need.kind)).text("alias", need.alias).flag("required", need.required);
  if (!need.definition.empty()) out.json("definition", need.definition);
  return out.str();
}

std::string needs_json(const Needs &needs) {
  return JsonObjectText()
      .json("contracts", list_json(needs.contracts, contract_json))
      .json("surfaces", list_json(needs.surfaces, surface_json))
      .json("capabilities", list_json(needs.capabilities, capability_json))
      .json("resources", list_json(needs.resources, resource_json))
      .str();
}

// `jobs` and `resources` of the contract, as its normalized form has them.
void add_sections(JsonObjectText &out, const Manifest &contract) {
  const auto document = parse_json(contract.normalized());
  if (!document) return; // normalized text parses: it was written by us
  for (const char *name : {"jobs", "resources"})
    if (const JsonValue *section = find_member(*document, name)) out.json(name, to_json(*section));
}

std::string connect_info(std::string_view session_key, const Manifest &contract) {
  const std::string auth = JsonObjectText().text("mode", "service_identity").number("iatSkewSeconds", 30).str();
  return JsonObjectText()
      .text("sessionKey", session_key)
      .text("contractId", contract.id())
      .text("contractDigest", contract.digest())
      .json("transports", "{}")
      .json("transport", "{}")
      .json("auth", auth)
      .str();
}

} // namespace

JsonObjectText refusal(std::string_view reason, std::string_view message, const BootstrapContext &context) {
  JsonObjectText out;
  out.text("reason", reason).text("message", message);
  if (!context.instance_id.empty()) out.text("instanceId", context.instance_id);
  if (!context.deployment_id.empty()) out.text("deploymentId", context.deployment_id);
  if (!context.contract_id.empty()) out.text("contractId", context.contract_id);
  if (!context.contract_digest.empty()) out.text("contractDigest", context.contract_digest);
  return out;
}

PolicyAnswer ready_answer(std::string_view session_key, const Manifest &contract, std::int64_t now) {
  JsonObjectText described;
  described.text("id", contract.id()).text("digest", contract.digest());
  described.text("displayName", contract.model().display_name).text("description", contract.model().description);
  add_sections(described, contract);
  const std::string binding = JsonObjectText()
                                  .text("contractId", contract.id())
                                  .text("digest", contract.digest())
                                  .json("resources", "{}")
                                  .str();
  return {200, JsonObjectText()
                   .text("status", "ready")
                   .number("serverNow", now)
                   .json("connectInfo", connect_info(session_key, contract))
                   .json("contract", described.str())
                   .json("binding", binding)
                   .str()};
}

namespace {

PolicyAnswer update_required(const BootstrapContext &context, const Needs &requested, const std::string &message) {
  Needs availability = requested;
  availability.capabilities.clear();
  std::vector<std::string> capabilities;
  for (const CapabilityNeed &need : requested.capabilities)
    capabilities.push_back(need.capability);
  return {202, refusal("authority_update_required", message, context)
                   .text("planId", plan_id(context))
                   .text("desiredVersion", kDesiredVersion)
                   .text("classification", "update")
                   .json("desiredChange", needs_json(requested))
                   .json("missingAvailability", needs_json(availability))
                   .texts("missingCapabilities", capabilities)
                   .str()};
}

} // namespace

PolicyAnswer update_required_answer(const BootstrapContext &context, const Needs &requested) {
  return update_required(context, requested,
                         "The policy file doesn't accept digest " + context.contract_digest + " of contract " +
                             context.contract_id + ".");
}

PolicyAnswer artifact_required_answer(const BootstrapContext &context, const Needs &requested,
                                      const ArtifactFacts &artifact) {
  return update_required(context, requested,
                         "The policy file accepts contract " + context.contract_id +
                             ", but not from the file with SHA-256 " + artifact.sha256 +
                             (artifact.signer.empty() ? ", which nobody signed" : " by signer " + artifact.signer) +
                             ": an [[accept]] with that `sha256`" +
                             (artifact.signer.empty() ? "" : " (and that `signer`)") + " is needed.");
}

PolicyAnswer activation_pending_answer(const BootstrapContext &context, const Error &error) {
  const std::string_view reason = error.code == "dependency_inactive"  ? "dependency_not_active"
                                  : error.code == "dependency_unknown" ? "unknown"
                                                                       : "missing";
  JsonObjectText out = refusal("contract_activation_pending", error.message, context);
  out.text("dependencyAlias", error.detail("alias"))
      .text("dependencyContractId", error.detail("contractId"))
      .text("dependencySurface", error.detail("surface"))
      .text("dependencyReason", reason)
      .text("dependencyMessage", error.message);
  if (!error.detail("key").empty()) out.text("dependencyKey", error.detail("key"));
  return {202, out.str()};
}

PolicyAnswer resources_unavailable_answer(const BootstrapContext &context, const ResourceNeed &need) {
  const std::string what = std::string(resource_kind_name(need.kind)) + " \"" + need.alias + "\"";
  const std::string message = "The contract requires the resource " + what + ", and static policy provides none.";
  return {202, refusal("authority_reconciliation_failed", message, context)
                   .text("desiredVersion", kDesiredVersion)
                   .text("reconciliationError", message)
                   .str()};
}

} // namespace trellis
