#include "contract_check.h"

#include "contract_warnings.h"
#include "contracts/canonical.h"
#include "contracts/compatibility.h"
#include "contracts/name_index.h"
#include "contracts/schema.h"
#include "contracts/subject_guard.h"
#include "json_duplicates.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// The contract without its uses of `unknown` contracts, and without event consumers, which may select from them: the
// install check ends at the first unknown contract, and everything behind it is worth checking all the same.
Manifest without_uses_of(const std::vector<std::string> &unknown, const Manifest &contract) {
  JsonLimits limits;
  limits.max_bytes *= 4;
  auto json = parse_json(contract.normalized(), limits);
  if (!json || unknown.empty()) return contract;
  json->RemoveMember("eventConsumers");
  for (const char *group : {"required", "optional"}) {
    const auto uses = json->FindMember("uses");
    if (uses == json->MemberEnd()) continue;
    const auto aliases = uses->value.FindMember(group);
    if (aliases == uses->value.MemberEnd()) continue;
    auto &entries = aliases->value;
    for (auto use = entries.MemberBegin(); use != entries.MemberEnd();)
      if (std::ranges::find(unknown, string_member(use->value, "contract")) != unknown.end())
        use = entries.EraseMember(use);
      else
        ++use;
  }
  if (auto stripped = Manifest::validate(*json)) return std::move(*stripped);
  return contract;
}

class Check {
public:
  Check(const SourcedContract &contract, const Surroundings &surroundings)
      : contract_(contract.manifest), surroundings_(surroundings), others_(surroundings.others(contract_)) {
    out.unknown = unknown_uses(contract_, surroundings);
    unknown_warnings();
  }

  void schemas() { // 01 §4.2: "do not emit one"
    for (const auto &[name, schema] : entries_of(contract_.model().schemas))
      if (const auto compiled = Schema::compile(*schema); !compiled) {
        auto error = compiled.error();
        error.where.insert(0, json_pointer("schemas", name));
        out.errors.push_back(std::move(error));
      }
  }

  void lineage() { // 01 §14.2: a manifest that isn't even compatible with itself is never active
    if (const auto merged = merge_lineage({contract_}); !merged) out.errors.push_back(merged.error());
  }

  void installation(DeploymentKind kind) {
    auto installed = install_check(without_uses_of(out.unknown, contract_), kind, others_);
    if (installed)
      out.namespaces = std::move(*installed);
    else
      out.errors.push_back(std::move(installed.error()));
    consumer_events();
    subjects();
  }

  void approval() {
    const auto plan = plan_approval(without_uses_of(out.unknown, contract_), surroundings_.known(contract_));
    if (!plan) out.errors.push_back(plan.error());
    consumer_events();
  }

  Findings out;

private:
  void unknown_warnings() {
    if (const auto &uses = contract_.model().uses)
      for (const auto *group : {&uses->required, &uses->optional})
        for (const auto &[alias, use] : entries_of(*group)) {
          if (std::ranges::find(out.unknown, use.contract) == out.unknown.end()) continue;
          const auto where = json_pointer("uses", group == &uses->required ? "required" : "optional", alias);
          out.warnings.push_back({"dependency_unknown",
                                  where,
                                  canonical_string(use.contract) + " isn't known here, so this use isn't checked",
                                  "--with FILE with that contract",
                                  {{"alias", alias}, {"contractId", use.contract}}});
        }
  }

  // The analysis resolves what event consumers select (02 §2.3), which the install check doesn't.
  void consumer_events() {
    if (!out.errors.empty() || !out.unknown.empty()) return;
    if (const auto analysis = analyze(contract_, surroundings_.known(contract_), Resolution::known); !analysis)
      out.errors.push_back(analysis.error());
  }

  // What control planes and hosts refuse beyond 01 §13 (contracts/subject_guard.h).
  void subjects() {
    if (const auto own = check_own_subjects(contract_, surroundings_.platform); !own) add_once(own.error());
    std::vector<const Manifest *> others;
    for (const auto &manifest : others_)
      others.push_back(&manifest);
    if (const auto free = check_subjects_free(contract_, others); !free) add_once(free.error());
  }
  void add_once(const Error &error) { // both checks know some mistakes
    if (std::ranges::find(out.errors, error.where, &Error::where) == out.errors.end()) out.errors.push_back(error);
  }

  const Manifest &contract_;
  const Surroundings &surroundings_;
  const std::vector<Manifest> others_;
};

void append(std::vector<Error> &into, std::vector<Error> more) {
  std::ranges::move(more, std::back_inserter(into));
}

// Of the manifest, although the text may hold others beside it.
std::vector<Error> duplicate_warnings(const SourcedContract &contract) {
  std::vector<Error> out;
  for (auto &pointer : duplicate_members(contract.source->text(), kMaxWarnings)) {
    if (!pointer.starts_with(contract.pointer + "/")) continue;
    out.push_back({"duplicate_member",
                   pointer.substr(contract.pointer.size()),
                   "is there more than once, and only the last one counts",
                   "each member once",
                   {}});
  }
  return out;
}

} // namespace

Findings check_contract(const SourcedContract &contract, const Surroundings &surroundings,
                        std::optional<DeploymentKind> deployment) {
  Check check(contract, surroundings);
  check.schemas();
  check.lineage();
  const auto kind = contract.manifest.kind();
  if (deployment || kind == ContractKind::service || kind == ContractKind::device)
    check.installation(
        deployment.value_or(kind == ContractKind::device ? DeploymentKind::device : DeploymentKind::service));
  else
    check.approval();
  append(check.out.warnings, duplicate_warnings(contract));
  append(check.out.warnings, contract_warnings(*contract.value, contract.manifest));
  append(check.out.warnings, portability_warnings(*contract.value, contract.manifest));
  return std::move(check.out);
}

} // namespace trellis::cli
