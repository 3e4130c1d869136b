#include "plugin_inspect.h"

#include "artifact/trust_minisign.h"
#include "contracts/authority.h"
#include "contracts/json.h"
#include "contracts/subject_guard.h"
#include "policy/policy.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// Stands for the first 16 characters of the session key, which name the inbox.
constexpr std::string_view kSession = "<session>";

std::string joined(const std::vector<std::string> &names) {
  std::string out;
  for (const auto &name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string joined(const std::optional<NameList> &names) {
  return names ? joined(*names) : std::string();
}

// -------------------------------------------------------------------------------------------------------- signature

void describe_signature(Report &report, const Artifact &artifact, const std::optional<std::string> &signature,
                        const std::vector<SignerKey> &signers) {
  if (!signature) {
    report.text("signature", "none");
    return;
  }
  const auto parsed = parse_minisign(*signature);
  if (!parsed) {
    report.text("signature", "malformed: " + parsed.error().text());
    return;
  }
  report.text("signer", key_id_text(parsed->key_id));
  if (signers.empty()) {
    report.text("signature", "not checked (no --signer)");
    return;
  }
  const auto signer = verify_artifact(artifact.bytes(), *signature, signers);
  report.text("signature", signer ? "valid" : signer.error().text());
}

// --------------------------------------------------------------------------------------------------------- settings

// On one line and with everything unusual escaped: these are the plugin's words.
void describe_settings(Report &report, const ElfFacts &elf) {
  if (!elf.config_schema) {
    report.text("configSchema", "none: the host passes on any settings");
    return;
  }
  const auto schema = parse_json(*elf.config_schema, {.max_bytes = kMaxConfigSchema});
  report.text("configSchema", schema ? to_json(*schema) : "no JSON: " + schema.error().text());
}

// --------------------------------------------------------------------------------------------------------- surfaces

template <class Surface, class Capabilities>
void append_surfaces(Table &table, std::string_view kind, const std::optional<Named<Surface>> &surfaces,
                     Capabilities capabilities) {
  if (!surfaces) return;
  for (const auto &[name, surface] : *surfaces)
    table.rows.push_back({std::string(kind), name, surface.subject, capabilities(surface)});
}

std::string operation_capabilities(const OperationSurface &operation) {
  return operation.capabilities ? joined(operation.capabilities->call) : std::string();
}

std::string event_capabilities(const EventSurface &event) {
  return event.capabilities ? joined(event.capabilities->subscribe) : std::string();
}

// Capabilities: what a caller or subscriber needs.
Table owned_surfaces(const ManifestModel &model) {
  Table table{{"kind", "name", "subject", "capabilities"}, {}};
  append_surfaces(table, "rpc", model.rpc, [](const RpcSurface &rpc) { return joined(rpc.call); });
  append_surfaces(table, "operation", model.operations, operation_capabilities);
  append_surfaces(table, "event", model.events, event_capabilities);
  append_surfaces(table, "feed", model.feeds, [](const FeedSurface &feed) { return joined(feed.subscribe); });
  return table;
}

// ------------------------------------------------------------------------------------------------------------ needs

Table needs_table(const Needs &needs, std::string_view own_id) {
  Table table{{"need", "name", "of", "action", "required"}, {}};
  const auto add = [&table](std::string need, std::string name, std::string of, std::string action, bool required) {
    table.rows.push_back({std::move(need), std::move(name), std::move(of), std::move(action), required ? "yes" : "no"});
  };
  for (const auto &need : needs.contracts)
    if (need.contract_id != own_id) add("contract", need.contract_id, "", "", need.required);
  for (const auto &need : needs.surfaces)
    add(std::string(surface_kind_name(need.surface.kind)), need.surface.name, need.surface.contract_id,
        std::string(surface_action_name(need.surface.action)), need.required);
  for (const auto &need : needs.capabilities)
    add("capability", need.capability, "", "", need.required);
  for (const auto &need : needs.resources)
    add(std::string(resource_kind_name(need.kind)), need.alias, "", "", need.required);
  return table;
}

// Contracts that are used and not known: what they add to the permissions can't be said.
std::vector<std::string> unknown_contracts(const ManifestModel &model, const std::vector<Manifest> &known) {
  std::vector<std::string> out;
  if (!model.uses) return out;
  for (const auto *uses : {&model.uses->required, &model.uses->optional})
    if (*uses)
      for (const auto &[alias, use] : **uses)
        if (std::ranges::find(known, use.contract, &Manifest::id) == known.end()) out.push_back(use.contract);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void describe_authority(Report &report, const Manifest &contract, const std::vector<Manifest> &known) {
  KnownContracts contracts;
  for (const auto &manifest : known)
    contracts.push_back({manifest, true});
  const auto analysis = analyze(contract, contracts, Resolution::known_or_pending);
  const auto permissions = analysis ? permissions_when_accepted(contract, known, kSession)
                                    : Result<Permissions>(tl::make_unexpected(analysis.error()));
  if (!permissions) {
    report.text("permissions", "unknown: " + permissions.error().text());
    return;
  }
  const auto unknown = unknown_contracts(contract.model(), known);
  if (!unknown.empty())
    report.text_only("incomplete", "needs and permissions, without --known FILE for " + joined(unknown));
  report.json_list("unknownContracts", unknown);
  report.table("needs", needs_table(analysis->requested(), contract.id()));
  report.list("publish", permissions->publish).list("subscribe", permissions->subscribe);
  report.number("responses", permissions->response.max);
}

// ---------------------------------------------------------------------------------------------------------- imports

void describe_imports(Report &report, const ElfFacts &elf, bool list_all) {
  report.list("libraries", elf.needed).flag("go", elf.is_go);
  if (list_all) {
    report.list("imports", elf.imported);
    return;
  }
  report.json_list("imports", elf.imported);
  report.text_only("imports", std::to_string(elf.imported.size()) + " symbols (--imports lists them)");
}

// --------------------------------------------------------------------------------------------------------- refusals

// The first thing wrong by 01 §13, or with the namespaces of others. Dependencies that aren't known here may well be
// where the plugin will run.
void append_contract_refusals(std::vector<Error> &out, const Manifest &contract, const std::vector<Manifest> &known) {
  const auto installed = install_check(contract, DeploymentKind::service, known);
  if (!installed && installed.error().code != "dependency_unknown") {
    out.push_back(installed.error());
    return;
  }
  if (const auto own = check_own_subjects(contract); !own) {
    out.push_back(own.error());
    return;
  }
  std::vector<const Manifest *> others;
  for (const auto &manifest : known)
    others.push_back(&manifest);
  if (const auto free = check_subjects_free(contract, others); !free) out.push_back(free.error());
}

Table refusal_table(const std::vector<Error> &refusals) {
  Table table{{"refused", "where", "reason", "expected"}, {}};
  for (const auto &error : refusals)
    table.rows.push_back({error.code, error.where, error.message, error.expected});
  return table;
}

// A control plane: its contracts are the platform's own, and it is under no policy that could grant or refuse.
Inspection inspect_control_plane(const Artifact &artifact, const InspectionInput &input) {
  const auto file = artifact.path().string();
  Inspection out;
  out.refusals = refusals(artifact.elf(), file);
  auto &report = out.report;
  if (out.refusals.empty())
    report = Report(file + " can be loaded once it is trusted, with role = \"control-plane\" only");
  report.text("file", file)
      .text("sha256", artifact.sha256_hex())
      .number("bytes", static_cast<std::int64_t>(artifact.bytes().size()));
  describe_signature(report, artifact, input.signature, input.signers);
  Table contracts{{"contract", "digest", "displayName"}, {}};
  Table surfaces{{"kind", "name", "subject", "capabilities"}, {}};
  for (const auto &contract : artifact.manifests()) {
    contracts.rows.push_back({contract.id(), contract.digest(), contract.model().display_name});
    const auto owned = owned_surfaces(contract.model());
    surfaces.rows.insert(surfaces.rows.end(), owned.rows.begin(), owned.rows.end());
  }
  describe_settings(report, artifact.elf());
  report.table("contracts", contracts).table("surfaces", surfaces);
  describe_imports(report, artifact.elf(), input.list_imports);
  report.table("refusals", refusal_table(out.refusals));
  return out;
}

} // namespace

Inspection inspect(const Artifact &artifact, const InspectionInput &input) {
  if (artifact.has_contract_array()) return inspect_control_plane(artifact, input);
  const auto file = artifact.path().string();
  const auto &contract = artifact.manifest();
  Inspection out;
  out.refusals = refusals(artifact.elf(), file);
  append_contract_refusals(out.refusals, contract, input.known);

  auto &report = out.report;
  if (out.refusals.empty()) report = Report(file + " can be loaded once it is trusted and its contract accepted");
  report.text("file", file)
      .text("id", contract.id())
      .text("kind", std::string(kind_name(contract.kind())))
      .text("displayName", contract.model().display_name)
      .text("description", contract.model().description)
      .text("digest", contract.digest())
      .text("sha256", artifact.sha256_hex())
      .number("bytes", static_cast<std::int64_t>(artifact.bytes().size()));
  describe_signature(report, artifact, input.signature, input.signers);
  describe_settings(report, artifact.elf());
  report.table("surfaces", owned_surfaces(contract.model()));
  describe_authority(report, contract, input.known);
  describe_imports(report, artifact.elf(), input.list_imports);
  report.table("refusals", refusal_table(out.refusals));
  return out;
}

} // namespace trellis::cli
