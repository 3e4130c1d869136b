// The install check of an authority plan (01 §13, steps 1 to 6).
#include "contracts/authority.h"
#include "contracts/canonical.h"
#include "contracts/name_index.h"
#include "contracts/uses.h"

#include <set>
#include <unordered_set>

namespace trellis {
namespace {

// A surface that takes part in the subject index (01 §10): feeds don't.
struct Entry {
  std::string_view section, name, version;
  const std::string *subject;
};

std::vector<Entry> indexed_entries(const ManifestModel &model) {
  std::vector<Entry> entries;
  const auto add = [&](std::string_view section, const auto &surfaces) {
    for (const auto &[name, surface] : entries_of(surfaces))
      entries.push_back({section, name, surface.version, &surface.subject});
  };
  add("rpc", model.rpc);
  add("operations", model.operations);
  add("events", model.events);
  return entries;
}

struct Owner {
  std::string_view contract_id, section, name;
  bool operator==(const Owner &) const = default;
};
using SubjectIndex = std::unordered_map<std::string, Owner>; // wildcard subject -> owner

Result<SubjectIndex> index_subjects(const KnownContracts &dependencies) {
  SubjectIndex index;
  for (const auto &dependency : dependencies)
    for (const auto &entry : indexed_entries(dependency.manifest.model())) {
      const Owner owner = {dependency.manifest.id(), entry.section, entry.name};
      const auto [slot, fresh] = index.try_emplace(wildcard_subject(*entry.subject), owner);
      if (fresh || slot->second == owner) continue;
      return fail("dependency_subject_collision", slot->first,
                  "belongs to " + json_pointer(entry.section, entry.name) + " of " + std::string(owner.contract_id) +
                      " and to " + json_pointer(slot->second.section, slot->second.name) + " of " +
                      std::string(slot->second.contract_id),
                  "used contracts whose subjects differ");
    }
  return index;
}

KnownContracts dependencies_of(const ManifestModel &model, const std::vector<Manifest> &known) {
  std::unordered_set<std::string_view> ids;
  if (model.uses)
    for (const auto *group : {&model.uses->required, &model.uses->optional})
      for (const auto &[alias, use] : entries_of(*group))
        ids.insert(use.contract);
  KnownContracts dependencies;
  for (const auto &manifest : known)
    if (ids.contains(manifest.id())) dependencies.push_back({.manifest = manifest, .active = false});
  return dependencies;
}

// The third token of a subject, which names the namespace; empty when there is none.
std::string_view namespace_token(std::string_view subject) {
  for (int skipped = 0; skipped < 2; ++skipped) {
    const auto dot = subject.find('.');
    if (dot == std::string_view::npos) return {};
    subject.remove_prefix(dot + 1);
  }
  return subject.substr(0, subject.find('.'));
}

std::optional<Error> check_subject(const Entry &entry, const std::string &contract_id, const SubjectIndex &index) {
  const std::string where = json_pointer(entry.section, entry.name, "subject");
  const auto problem = [&](const char *code, std::string message, std::string expected) {
    return Error{code, where, std::move(message), std::move(expected), {}};
  };
  const std::string &subject = *entry.subject;
  if (subject.find_first_of("*>") != std::string::npos)
    return problem("subject_wildcard", canonical_string(subject) + " has a wildcard", "a subject without * and >");
  const std::string prefix = std::string(entry.section) + "." + std::string(entry.version) + ".";
  if (!subject.starts_with(prefix))
    return problem("subject_prefix", "is " + canonical_string(subject), "a subject that starts with " + prefix);
  if (namespace_token(subject).empty())
    return problem("subject_namespace", canonical_string(subject) + " has an empty third token", prefix + "<Name>");
  const auto owner = index.find(wildcard_subject(subject));
  if (owner != index.end() && owner->second.contract_id != contract_id)
    return problem("subject_owned",
                   canonical_string(subject) + " belongs to " +
                       json_pointer(owner->second.section, owner->second.name) + " of " +
                       std::string(owner->second.contract_id),
                   "a subject that no used contract has");
  return std::nullopt;
}

std::optional<Error> check_kind(const ManifestModel &model, DeploymentKind kind) {
  const bool device = kind == DeploymentKind::device;
  const auto wanted = device ? ContractKind::device : ContractKind::service;
  if (model.kind != wanted)
    return Error{"kind_mismatch",
                 "/kind",
                 "is " + std::string(kind_name(model.kind)) + " in a " + std::string(kind_name(wanted)) + " deployment",
                 std::string(kind_name(wanted)),
                 {}};
  if (device && model.resources)
    return Error{"device_resources", "/resources", "is not available to devices", "a contract without resources", {}};
  if (device && !entries_of(model.jobs).empty())
    return Error{"device_resources", "/jobs", "is not available to devices", "a contract without job queues", {}};
  return std::nullopt;
}

} // namespace

Result<std::vector<std::string>> install_check(const Manifest &contract, DeploymentKind kind,
                                               const std::vector<Manifest> &known) {
  const auto &model = contract.model();
  const auto dependencies = dependencies_of(model, known);
  const auto index = index_subjects(dependencies);
  if (!index) return tl::make_unexpected(index.error());
  Targets targets(dependencies, Resolution::known);
  const auto uses = resolve_uses(contract, targets, OptionalConflict::failure);
  if (!uses) return tl::make_unexpected(uses.error());

  std::set<std::string, std::less<>> namespaces;
  for (const auto &entry : indexed_entries(model)) {
    if (auto error = check_subject(entry, contract.id(), *index)) return tl::make_unexpected(std::move(*error));
    namespaces.emplace(namespace_token(*entry.subject));
  }
  if (auto error = check_kind(model, kind)) return tl::make_unexpected(std::move(*error));
  return std::vector<std::string>(namespaces.begin(), namespaces.end());
}

} // namespace trellis
