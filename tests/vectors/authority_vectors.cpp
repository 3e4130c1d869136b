// What follows from contracts: permissions, and kind analyze of authority-plan (README §3.2). Registered by
// register_contracts.

#include "contracts/authority.h"
#include "contracts/canonical.h"
#include "output.h"
#include "runner.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace trellis::vectors {
namespace {

// ---------------------------------------------------------------- reading

std::filesystem::path manifests_folder() {
  const char *named = std::getenv("TRELLIS_VECTORS");
  const std::filesystem::path vectors =
      named && *named ? std::filesystem::path(named)
                      : std::filesystem::path(TRELLIS_SOURCE_ROOT).parent_path() / "shared" / "vectors";
  return vectors / ".." / "manifests";
}

// The control plane's built-in contracts: known and active in every case.
const KnownContracts &platform_contracts() {
  static const KnownContracts kPlatform = [] {
    KnownContracts out;
    for (const char *name : {"auth", "core", "health", "state", "jobs"}) {
      const auto path = manifests_folder() / ("trellis." + std::string(name) + "@v1.json");
      std::ifstream file(path, std::ios::binary);
      if (!file) throw Skipped("the platform manifests aren't there: " + path.string());
      const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      auto manifest = Manifest::parse(text);
      if (!manifest) throw std::runtime_error(path.string() + ": " + manifest.error().text());
      out.push_back({.manifest = std::move(*manifest)});
    }
    return out;
  }();
  return kPlatform;
}

Manifest valid(const JsonValue &value) {
  auto manifest = Manifest::validate(value);
  if (!manifest) throw std::runtime_error("invalid manifest: " + manifest.error().text());
  return std::move(*manifest);
}

KnownContracts known_contracts(const JsonValue &list) {
  KnownContracts known = platform_contracts();
  for (const auto &entry : list.GetArray()) {
    auto manifest = valid(entry["manifest"]);
    if (string_member(entry, "digest") != manifest.digest())
      throw std::runtime_error("digest of " + manifest.id() + " is " + manifest.digest());
    const auto *active = find_member(entry, "active");
    known.push_back({.manifest = std::move(manifest), .active = !active || active->IsTrue()});
  }
  return known;
}

// The value whose name is `text`.
template <class Enum, class Name>
Enum named(std::string_view text, std::initializer_list<Enum> values, const Name &name_of) {
  for (const auto value : values)
    if (name_of(value) == text) return value;
  throw std::runtime_error("unknown word " + std::string(text));
}

Surface surface_of(const JsonValue &value) {
  return {std::string(string_member(value, "contractId")),
          named(string_member(value, "kind"),
                {SurfaceKind::rpc, SurfaceKind::operation, SurfaceKind::event, SurfaceKind::feed}, surface_kind_name),
          std::string(string_member(value, "name")),
          named(string_member(value, "action"),
                {SurfaceAction::none, SurfaceAction::call, SurfaceAction::publish, SurfaceAction::subscribe,
                 SurfaceAction::observe, SurfaceAction::cancel},
                surface_action_name)};
}

ResourceKind resource_kind_of(const JsonValue &value) {
  return named(
      string_member(value, "kind"),
      {ResourceKind::kv, ResourceKind::store, ResourceKind::jobs, ResourceKind::event_consumer, ResourceKind::transfer},
      resource_kind_name);
}

ResourceNeed resource_of(const JsonValue &value) {
  const auto *definition = find_member(value, "definition");
  return {resource_kind_of(value), std::string(string_member(value, "alias")), value["required"].IsTrue(),
          definition ? canonical_json(*definition).value() : ""};
}

template <class Read>
auto items_of(const JsonValue &array, const Read &read) {
  std::vector<decltype(read(array))> out;
  for (const auto &item : array.GetArray())
    out.push_back(read(item));
  return out;
}
template <class Read>
auto list_of(const JsonValue &object, const char *member, const Read &read) {
  return items_of(object[member], read);
}

Needs needs_of(const JsonValue &value) {
  Needs needs;
  needs.contracts = list_of(value, "contracts", [](const JsonValue &need) {
    return ContractNeed{std::string(string_member(need, "contractId")), need["required"].IsTrue()};
  });
  needs.surfaces = list_of(value, "surfaces", [](const JsonValue &need) {
    return SurfaceNeed{surface_of(need), need["required"].IsTrue()};
  });
  needs.capabilities = list_of(value, "capabilities", [](const JsonValue &need) {
    return CapabilityNeed{std::string(string_member(need, "capability")), need["required"].IsTrue()};
  });
  needs.resources = list_of(value, "resources", resource_of);
  return needs;
}

DesiredState desired_state_of(const JsonValue &value) {
  return {needs_of(value["needs"]),
          list_of(value, "capabilities", [](const JsonValue &key) { return std::string(text_of(key)); }),
          list_of(value, "resources", resource_of), list_of(value, "surfaces", surface_of)};
}

OfferRef offer_of(const JsonValue &value) {
  const auto text = [&](const char *member) { return std::string(string_member(value, member)); };
  const auto time = [&](const char *member) {
    return value[member].IsString() ? std::optional(text(member)) : std::nullopt;
  };
  return {text("offerId"), text("lineageKey"), text("contractId"),     text("contractDigest"),
          text("status"),  time("acceptedAt"), time("lastRefreshedAt")};
}

BindingRef binding_of(const JsonValue &value) {
  return {resource_kind_of(value), std::string(string_member(value, "alias")), to_json(value["binding"])};
}

// ---------------------------------------------------------------- writing

Output of_surface(const Surface &surface, const char *kind_member = "kind") {
  Output out;
  out.text("contractId", surface.contract_id).text(kind_member, surface_kind_name(surface.kind));
  out.text("name", surface.name);
  if (surface.action != SurfaceAction::none) out.text("action", surface_action_name(surface.action));
  return out;
}

template <class Item, class Write>
Output of_list(const std::vector<Item> &items, const Write &write) {
  Output list(rapidjson::kArrayType);
  for (const auto &item : items)
    list.push(write(item));
  return list;
}

Output of_needs(const Needs &needs) {
  Output out;
  out.json("contracts", of_list(needs.contracts, [](const ContractNeed &need) {
             return std::move(Output().text("contractId", need.contract_id).flag("required", need.required));
           }));
  out.json("surfaces", of_list(needs.surfaces, [](const SurfaceNeed &need) {
             return std::move(of_surface(need.surface).flag("required", need.required));
           }));
  out.json("capabilities", of_list(needs.capabilities, [](const CapabilityNeed &need) {
             return std::move(Output().text("capability", need.capability).flag("required", need.required));
           }));
  out.json("resources", of_list(needs.resources, [](const ResourceNeed &need) {
             Output item;
             item.text("kind", resource_kind_name(need.kind)).text("alias", need.alias);
             item.flag("required", need.required);
             if (!need.definition.empty()) item.json("definition", parse_json(need.definition).value());
             return item;
           }));
  return out;
}

Output of_grants(const Grants &grants) {
  Output out;
  out.json("capabilities", of_list(grants.capabilities,
                                   [](const std::string &key) { return std::move(Output().text("capability", key)); }));
  out.json("surfaces",
           of_list(grants.surfaces, [](const Surface &surface) { return of_surface(surface, "surfaceKind"); }));
  out.json("nats", of_list(grants.nats, [](const NatsGrant &grant) {
             Output item;
             item.text("direction", grant.publish ? "publish" : "subscribe").text("subject", grant.subject);
             if (grant.surface) item.json("surface", of_surface(*grant.surface));
             item.texts("requiredCapabilities", grant.required_capabilities);
             item.text("grantSource", grant_source_name(grant.source));
             return item;
           }));
  return out;
}

void add_permissions(Output &out, const Permissions &permissions) {
  out.texts("publishAllow", permissions.publish).texts("subscribeAllow", permissions.subscribe);
  out.number("responseMax", permissions.response.max);
}

void add_capability_text(Output &out, const CapabilityText &text) {
  out.text("displayName", text.display_name).text("description", text.description);
  if (text.consequence) out.text("consequence", *text.consequence);
}

// `condition` explains and is never compared (README §3.2), so it is taken over from the case.
JsonDocument of_error(const Error &error, const CaseContext &context) {
  const bool dependency = !error.detail("reason").empty();
  const bool incompatible = error.code == "dependency_incompatible";
  Output out;
  out.text("category", incompatible ? "dependency_incompatible" : dependency ? "dependency" : "invalid");
  if (dependency)
    for (const char *detail : {"reason", "surface", "alias", "contractId", "key"})
      if (const auto value = error.detail(detail); !value.empty() && !(incompatible && detail[0] == 'r'))
        out.text(detail, value);
  if (const auto *expected = find_member(*context.expected, "error"))
    if (const auto *condition = find_member(*expected, "condition")) out.json("condition", *condition);
  return Output().json("error", std::move(out)).take();
}

// ---------------------------------------------------------------- procedures

JsonDocument run_deployment(const Input &input, DeploymentKind kind) {
  const auto session_key = input.text("sessionKey");
  input.text("deploymentId");
  const auto known = known_contracts(input.at("knownContracts"));
  const auto desired = desired_state_of(input.at("desiredState"));
  const auto offers = items_of(input.at("offers"), offer_of);
  const auto bindings = items_of(input.at("resourceBindings"), binding_of);

  const auto grants = materialize(desired, offers, known, kind);
  const auto permissions = kind == DeploymentKind::service ? service_permissions(grants, bindings, session_key)
                                                           : device_permissions(grants, session_key);
  Output out;
  out.json("grants", of_grants(grants)).texts("capabilities", permissions.capabilities);
  add_permissions(out, permissions);
  return out.take();
}

JsonDocument run_user(const Input &input, const CaseContext &context) {
  const auto session_key = input.text("sessionKey");
  const auto known = known_contracts(input.at("knownContracts"));
  const auto plan = plan_approval(valid(input.at("contract")), known);
  if (!plan) return of_error(plan.error(), context);

  Output capabilities;
  for (const auto &[key, text] : plan->capabilities) {
    Output described;
    add_capability_text(described, text);
    capabilities.json(key, std::move(described));
  }
  Output approval;
  approval.text("contractDigest", plan->contract_digest).text("contractId", plan->contract_id);
  approval.text("displayName", plan->display_name).text("description", plan->description);
  approval.text("participantKind", plan->participant_kind).json("capabilities", std::move(capabilities));
  Output out;
  out.json("approval", std::move(approval));
  out.texts("publishSubjects", plan->publish_subjects).texts("subscribeSubjects", plan->subscribe_subjects);
  add_permissions(out, user_permissions(*plan, session_key));
  return out.take();
}

Resolution resolution_of(std::string_view word) {
  if (word == "active") return Resolution::active;
  if (word == "activeOrAccepted") return Resolution::active_or_accepted;
  if (word == "known") return Resolution::known;
  if (word == "knownOrPending") return Resolution::known_or_pending;
  throw std::runtime_error("unknown dependency resolution " + std::string(word));
}

JsonDocument run_analyze(const Input &input, const CaseContext &context) {
  const auto deployment = input.text("deploymentId");
  const auto resolution = resolution_of(input.text("dependencyResolution"));
  const auto known = known_contracts(input.at("knownContracts"));
  const auto contract = valid(input.at("contract"));
  const auto analysis = analyze(contract, known, resolution);
  if (!analysis) return of_error(analysis.error(), context);

  Output identity;
  identity.text("id", contract.id()).text("digest", contract.digest()).text("kind", kind_name(contract.kind()));
  Output out;
  out.json("contract", std::move(identity)).json("requestedNeeds", of_needs(analysis->requested()));
  out.json("providedSurfaces", of_list(analysis->provided, [](const Surface &surface) { return of_surface(surface); }));
  out.json("capabilityDefinitions", of_list(analysis->definitions, [&](const CapabilityDefinition &definition) {
             Output item;
             item.text("deploymentId", deployment).text("key", definition.key).text("source", "contract");
             add_capability_text(item, {definition.display_name, definition.description, definition.consequence});
             item.text("contractId", contract.id()).text("contractDigest", contract.digest());
             item.text("contractDisplayName", contract.model().display_name).text("direction", definition.direction);
             return item;
           }));
  return out.take();
}

} // namespace

void register_authority(Registry &registry) {
  const Comparison sets = {.sets = {"contracts", "surfaces", "capabilities", "resources", "nats",
                                    "requiredCapabilities", "publishAllow", "subscribeAllow", "publishSubjects",
                                    "subscribeSubjects", "providedSurfaces", "capabilityDefinitions"}};
  const auto run_for = [](DeploymentKind kind) {
    return [kind](const Input &input, const CaseContext &) { return run_deployment(input, kind); };
  };
  registry["permissions"]["service"] = {run_for(DeploymentKind::service), sets};
  registry["permissions"]["device"] = {run_for(DeploymentKind::device), sets};
  registry["permissions"]["user"] = {run_user, sets};
  registry["authority-plan"]["analyze"] = {run_analyze, sets};
  for (const char *kind : {"classify", "accept", "flow", "capabilityGroups", "approval"})
    registry["authority-plan"][kind] = {};
}

} // namespace trellis::vectors
