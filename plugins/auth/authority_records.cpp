#include "authority_records.h"
#include "contracts/authority_json.h"
#include "contracts/json_write.h"
#include "wire/ulid.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <tuple>

namespace trellis::auth {
namespace {

constexpr JsonLimits kBodyLimits{std::size_t{8} << 20, 512};

void add_time(JsonObjectText &out, std::string_view name, const std::optional<UnixMs> &time) {
  if (time)
    out.text(name, iso_time(*time));
  else
    out.json(name, "null");
}

void add_text_or_null(JsonObjectText &out, std::string_view name, const std::optional<std::string> &text) {
  if (text)
    out.text(name, *text);
  else
    out.json(name, "null");
}

std::string proposal_record(const Plan &plan) {
  JsonObjectText out;
  out.text("deploymentId", plan.deployment_id).text("contractId", plan.contract_id);
  out.text("contractDigest", plan.contract_digest);
  if (!plan.contract.empty()) out.json("contract", plan.contract);
  out.json("requestedNeeds", needs_json(plan.requested)).json("providedSurfaces", surfaces_json(plan.provided));
  return out.json("summary", plan.summary).str();
}

std::string binding_record(std::string_view deployment_id, const StoredBinding &binding) {
  return JsonObjectText()
      .text("deploymentId", deployment_id)
      .text("kind", binding.kind)
      .text("alias", binding.alias)
      .json("binding", binding.binding)
      .json("limits", "null")
      .text("createdAt", iso_time(binding.created_at))
      .text("updatedAt", iso_time(binding.updated_at))
      .str();
}

} // namespace

std::string json_array(const std::vector<std::string> &items) {
  std::string out = "[";
  for (const std::string &item : items)
    out += (out.size() > 1 ? "," : "") + item;
  return out + "]";
}

std::string authority_record(const Authority &authority) {
  return JsonObjectText()
      .text("deploymentId", authority.deployment_id)
      .text("kind", authority.kind)
      .flag("disabled", authority.disabled)
      .json("desiredState", desired_state_json(authority.desired))
      .text("version", authority.version)
      .text("createdAt", iso_time(authority.created_at))
      .text("updatedAt", iso_time(authority.updated_at))
      .str();
}

std::string plan_record(const Plan &plan, Decisions decisions) {
  JsonObjectText out;
  out.text("planId", plan.plan_id).text("deploymentId", plan.deployment_id);
  out.text("classification", plan.migration ? "migration" : "update");
  if (plan.migration) out.flag("acknowledgementRequired", plan.acknowledgement_required);
  out.json("proposal", proposal_record(plan)).json("desiredChange", needs_json(plan.desired_change));
  out.json("materializationPreview", plan.preview).texts("warnings", plan.warnings);
  out.text("createdAt", iso_time(plan.created_at));
  if (plan.expires_at) out.text("expiresAt", iso_time(*plan.expires_at));
  out.text("state", plan.state);
  if (decisions == Decisions::left_out) return out.str();
  add_time(out, "decisionAt", plan.decision_at);
  out.json("decisionBy", plan.decision_by.value_or("null"));
  add_text_or_null(out, "decisionReason", plan.decision_reason);
  return out.str();
}

std::string materialization_record(const Materialization &materialization) {
  std::vector<std::string> bindings;
  for (const StoredBinding &binding : materialization.bindings)
    bindings.push_back(binding_record(materialization.deployment_id, binding));
  JsonObjectText out;
  out.text("deploymentId", materialization.deployment_id).text("desiredVersion", materialization.desired_version);
  out.text("status", materialization.status).json("resourceBindings", json_array(bindings));
  out.json("grants", grants_json(materialization.grants));
  add_time(out, "reconciledAt", materialization.reconciled_at);
  if (materialization.error) out.text("error", *materialization.error);
  return out.str();
}

std::string reconciliation_record(const Reconciliation &reconciliation) {
  JsonObjectText out;
  out.text("deploymentId", reconciliation.deployment_id).text("desiredVersion", reconciliation.desired_version);
  out.text("state", reconciliation.state);
  add_time(out, "startedAt", reconciliation.started_at);
  add_time(out, "finishedAt", reconciliation.finished_at);
  if (reconciliation.message) out.text("message", *reconciliation.message);
  return out.str();
}

std::string override_record(const GrantOverride &grant_override) {
  JsonObjectText out;
  out.text("deploymentId", grant_override.deployment_id).text("contractId", grant_override.contract_id);
  out.text("identityKind", grant_override.identity_kind);
  add_text_or_null(out, "origin", grant_override.origin);
  add_text_or_null(out, "sessionPublicKey", grant_override.session_public_key);
  out.text("grantKind", grant_override.grant_kind);
  add_text_or_null(out, "capability", grant_override.capability);
  add_text_or_null(out, "capabilityGroupKey", grant_override.capability_group_key);
  return out.str();
}

std::string deployment_record(const ServiceDeployment &deployment) {
  return JsonObjectText()
      .text("kind", "service")
      .text("deploymentId", deployment.deployment_id)
      .texts("namespaces", deployment.namespaces)
      .text("contractCompatibilityMode", deployment.mutable_dev ? "mutable-dev" : "strict")
      .flag("disabled", deployment.disabled)
      .str();
}

std::string deployment_record(const DeviceDeployment &deployment) {
  JsonObjectText out;
  out.text("kind", "device").text("deploymentId", deployment.deployment_id);
  if (deployment.review_required) out.text("reviewMode", "required");
  return out.flag("disabled", deployment.disabled).str();
}

std::string instance_record(const ServiceInstance &instance) {
  return JsonObjectText()
      .text("instanceId", instance.instance_id)
      .text("deploymentId", instance.deployment_id)
      .text("instanceKey", instance.instance_key)
      .flag("disabled", instance.disabled)
      .texts("capabilities", instance.capabilities)
      .text("createdAt", iso_time(instance.created_at))
      .str();
}

std::vector<Surface> in_wire_order(std::vector<Surface> surfaces) {
  std::ranges::stable_sort(surfaces, {}, [](const Surface &surface) {
    return std::tuple(std::string_view(surface.contract_id), surface_kind_name(surface.kind),
                      std::string_view(surface.name), surface_action_name(surface.action));
  });
  return surfaces;
}

Needs in_wire_order(Needs needs) {
  std::ranges::stable_sort(needs.contracts, {}, &ContractNeed::contract_id);
  std::ranges::stable_sort(needs.surfaces, {}, [](const SurfaceNeed &need) {
    return std::tuple(std::string_view(need.surface.contract_id), surface_kind_name(need.surface.kind),
                      std::string_view(need.surface.name), surface_action_name(need.surface.action));
  });
  std::ranges::stable_sort(needs.capabilities, {}, &CapabilityNeed::capability);
  std::ranges::stable_sort(needs.resources, {}, [](const ResourceNeed &need) {
    return std::tuple(resource_kind_name(need.kind), std::string_view(need.alias));
  });
  return needs;
}

Body::Body(JsonDocument document) : document_(std::make_shared<const JsonDocument>(std::move(document))) {}

Result<Body> Body::parse(std::string_view text) {
  auto document = parse_json(text, kBodyLimits);
  if (!document || !document->IsObject()) return fail("validation", "/", "is no JSON object");
  return Body(std::move(*document));
}

const JsonValue *Body::find(std::string_view name) const {
  return find_member(*document_, name);
}

std::string Body::text(std::string_view name) const {
  return std::string(string_member(*document_, name));
}

std::optional<std::string> Body::optional_text(std::string_view name) const {
  const JsonValue *value = find(name);
  if (!value || !value->IsString()) return std::nullopt;
  return std::string(text_of(*value));
}

std::optional<bool> Body::optional_flag(std::string_view name) const {
  const JsonValue *value = find(name);
  if (!value || !value->IsBool()) return std::nullopt;
  return value->GetBool();
}

std::vector<std::string> Body::texts(std::string_view name) const {
  std::vector<std::string> out;
  if (const JsonValue *value = find(name); value && value->IsArray())
    for (const JsonValue &item : value->GetArray())
      out.emplace_back(text_of(item));
  return out;
}

std::int64_t Body::integer(std::string_view name) const {
  const JsonValue *value = find(name);
  if (!value || !value->IsNumber()) return 0;
  const double number = value->GetDouble();
  return number >= -9e15 && number <= 9e15 ? static_cast<std::int64_t>(number) : 0;
}

std::string page_json(const Body &request, std::size_t count, const std::function<std::string(std::size_t)> &entry) {
  const auto rows = static_cast<std::int64_t>(count);
  const std::int64_t offset = std::max<std::int64_t>(request.integer("offset"), 0);
  const std::int64_t limit = std::max<std::int64_t>(request.integer("limit"), 0);
  std::vector<std::string> entries;
  for (std::int64_t index = offset; index < rows && index - offset < limit; ++index)
    entries.push_back(entry(static_cast<std::size_t>(index)));
  JsonObjectText out;
  out.json("entries", json_array(entries)).number("count", rows).number("offset", offset).number("limit", limit);
  if (limit > 0 && offset + limit < rows) out.number("nextOffset", offset + limit);
  return out.str();
}

} // namespace trellis::auth
