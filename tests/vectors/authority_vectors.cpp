// What follows from contracts: permissions, and kind analyze of authority-plan (README §3.2). Registered by
// register_contracts; the other kinds of authority-plan are in authority_plan_vectors.cpp.

#include "authority_cases.h"
#include "builtin_contracts.h"
#include "output.h"

namespace trellis::vectors {
namespace {

// ---------------------------------------------------------------- reading

OfferRef offer_of(const JsonValue &value) {
  const auto text = [&](const char *member) { return std::string(string_member(value, member)); };
  const auto time = [&](const char *member) {
    return value[member].IsString() ? std::optional(text(member)) : std::nullopt;
  };
  return {text("offerId"), text("lineageKey"), text("contractId"),     text("contractDigest"),
          text("status"),  time("acceptedAt"), time("lastRefreshedAt")};
}

BindingRef binding_of(const JsonValue &value) {
  const auto kind = resource_kind_of(string_member(value, "kind"));
  if (!kind) throw std::runtime_error("unknown kind of resource");
  return {*kind, std::string(string_member(value, "alias")), to_json(value["binding"])};
}

// ---------------------------------------------------------------- writing

void add_permissions(Output &out, const Permissions &permissions) {
  out.texts("publishAllow", permissions.publish).texts("subscribeAllow", permissions.subscribe);
  out.number("responseMax", permissions.response.max);
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

} // namespace

KnownContracts known_contracts(const JsonValue &list) {
  KnownContracts known;
  for (const auto &manifest : builtin())
    known.push_back({.manifest = manifest});
  for (const auto &entry : list.GetArray()) {
    auto manifest = valid(entry["manifest"]);
    if (string_member(entry, "digest") != manifest.digest())
      throw std::runtime_error("digest of " + manifest.id() + " is " + manifest.digest());
    const auto *active = find_member(entry, "active");
    known.push_back({.manifest = std::move(manifest), .active = !active || active->IsTrue()});
  }
  return known;
}

const std::vector<Manifest> &builtin() {
  static const auto kBuiltin = value_of(auth::builtin_contracts(), "built-in contracts");
  return kBuiltin;
}

Manifest valid(const JsonValue &value) {
  return value_of(Manifest::validate(value), "manifest");
}

namespace {

// ---------------------------------------------------------------- procedures

template <class Read>
auto items_of(const JsonValue &array, const Read &read) {
  std::vector<decltype(read(array))> out;
  for (const auto &item : array.GetArray())
    out.push_back(read(item));
  return out;
}

JsonDocument run_deployment(const Input &input, DeploymentKind kind) {
  const auto session_key = input.text("sessionKey");
  input.text("deploymentId");
  const auto known = known_contracts(input.at("knownContracts"));
  const auto desired = value_of(desired_state_from_json(input.at("desiredState")), "desiredState");
  const auto offers = items_of(input.at("offers"), offer_of);
  const auto bindings = items_of(input.at("resourceBindings"), binding_of);

  const auto grants = materialize(desired, offers, known, kind);
  const auto permissions = kind == DeploymentKind::service ? service_permissions(grants, bindings, session_key)
                                                           : device_permissions(grants, session_key);
  Output out;
  out.json("grants", value_of(parse_json(grants_json(grants)), "grants"))
      .texts("capabilities", permissions.capabilities);
  add_permissions(out, permissions);
  return out.take();
}

JsonDocument run_user(const Input &input, const CaseContext &context) {
  const auto session_key = input.text("sessionKey");
  const auto known = known_contracts(input.at("knownContracts"));
  const auto plan = plan_approval(valid(input.at("contract")), known);
  if (!plan) return of_error(plan.error(), context);

  Output out;
  out.json("approval", value_of(parse_json(approval_json(*plan)), "approval"));
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
  out.json("contract", std::move(identity));
  out.json("requestedNeeds", value_of(parse_json(needs_json(analysis->requested())), "needs"));
  out.json("providedSurfaces", value_of(parse_json(surfaces_json(analysis->provided)), "surfaces"));
  out.json(
      "capabilityDefinitions",
      value_of(parse_json(capability_definitions_json(analysis->definitions, deployment, contract)), "definitions"));
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
  register_authority_plan(registry);
}

} // namespace trellis::vectors
