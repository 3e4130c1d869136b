#include "contracts/uses.h"

#include <algorithm>

namespace trellis {
namespace {

bool looks_at_known(Resolution resolution) {
  return resolution == Resolution::known || resolution == Resolution::known_or_pending;
}

template <class Keep>
std::vector<Manifest> manifests_where(const std::vector<const KnownContract *> &known, const Keep &keep) {
  std::vector<Manifest> out;
  for (const auto *contract : known)
    if (keep(*contract)) out.push_back(contract->manifest);
  const auto digest_less = [](const Manifest &a, const Manifest &b) { return a.digest() < b.digest(); };
  const auto same_digest = [](const Manifest &a, const Manifest &b) { return a.digest() == b.digest(); };
  std::sort(out.begin(), out.end(), digest_less);
  out.erase(std::unique(out.begin(), out.end(), same_digest), out.end());
  return out;
}

std::string where_of(const ResolvedUse &use) {
  return json_pointer("uses", use.required ? "required" : "optional", use.alias);
}

tl::unexpected<Error> conflict_error(const ResolvedUse &use, const Targets::Answer &answer) {
  std::string digests;
  for (const auto &digest : answer.conflicting)
    digests += (digests.empty() ? "" : ",") + digest;
  auto error = fail("dependency_incompatible", where_of(use),
                    "Dependency '" + std::string(use.alias) + "' references incompatible contracts '" +
                        use.use->contract + "': " + answer.conflict,
                    "known contracts of this id that are compatible with each other");
  error.value().details = {{"alias", std::string(use.alias)},
                           {"contractId", use.use->contract},
                           {"reason", "incompatible"},
                           {"digests", digests}};
  return error;
}

// Looks up the names of one selector list; one use after the other, so the first failure sticks.
class Selection {
public:
  explicit Selection(const ResolvedUse &use) : use_(use) {}

  template <class T>
  void add(std::vector<Selected<T>> &out, const std::optional<NameList> &names, const NameIndex<T> &surfaces,
           std::string_view kind, std::string_view section, std::string_view list) {
    for (const auto &name : names_in(names)) {
      const auto *surface = surfaces.find(name);
      if (surface)
        out.push_back({name, surface});
      else if (use_.required && !error_)
        error_ = dependency_error(where_of(use_) + json_pointer(section, list), use_.alias, use_.use->contract, kind,
                                  "missing", name)
                     .value();
    }
  }

  std::optional<Error> error() { return std::move(error_); }

private:
  const ResolvedUse &use_;
  std::optional<Error> error_;
};

std::optional<Error> select(ResolvedUse &use) {
  Selection selection(use);
  const auto &[contract, rpc, operations, events, feeds] = *use.use;
  const auto &target = *use.target;
  if (rpc) selection.add(use.rpc, rpc->call, target.rpc, "rpc", "rpc", "call");
  if (operations) selection.add(use.operations, operations->call, target.operations, "operation", "operations", "call");
  if (events) {
    selection.add(use.publish, events->publish, target.events, "event", "events", "publish");
    selection.add(use.subscribe, events->subscribe, target.events, "event", "events", "subscribe");
  }
  if (feeds) selection.add(use.feeds, feeds->subscribe, target.feeds, "feed", "feeds", "subscribe");
  return selection.error();
}

Result<ResolvedUse> resolve(ResolvedUse use, Targets &targets, OptionalConflict optional_conflict) {
  const auto &answer = targets.find(use.use->contract);
  use.target = answer.target.get();
  if (use.target) {
    if (auto error = select(use)) return tl::make_unexpected(std::move(*error));
    return use;
  }
  if (targets.resolution() == Resolution::known_or_pending) return use;
  if (!answer.conflicting.empty()) {
    if (use.required || optional_conflict == OptionalConflict::failure) return conflict_error(use, answer);
    return use;
  }
  if (!use.required) return use;
  return dependency_error(where_of(use), use.alias, use.use->contract, "contract",
                          looks_at_known(targets.resolution()) ? "unknown" : "inactive");
}

} // namespace

Targets::Targets(const KnownContracts &known, Resolution resolution) : resolution_(resolution) {
  for (const auto &contract : known)
    by_id_[contract.manifest.id()].push_back(&contract);
}

// 01 §11.1, the table of candidate sets.
std::vector<Manifest> Targets::candidates(std::string_view contract_id) const {
  const auto found = by_id_.find(contract_id);
  if (found == by_id_.end()) return {};
  const auto &known = found->second;
  auto out = manifests_where(known, [](const KnownContract &contract) { return contract.active; });
  if (out.empty() && resolution_ != Resolution::active)
    out = manifests_where(known, [](const KnownContract &contract) { return contract.accepted; });
  if (out.empty() && looks_at_known(resolution_)) out = manifests_where(known, [](const auto &) { return true; });
  return out;
}

const Targets::Answer &Targets::find(const std::string &contract_id) {
  const auto [slot, fresh] = answers_.try_emplace(contract_id);
  if (!fresh) return slot->second;
  const auto manifests = candidates(contract_id);
  if (manifests.empty()) return slot->second;
  auto merged = merge_lineage(manifests);
  if (merged) {
    slot->second.target = std::make_unique<const TargetContract>(std::move(*merged));
  } else {
    slot->second.conflict = merged.error().text();
    for (const auto &manifest : manifests)
      slot->second.conflicting.push_back(manifest.digest());
  }
  return slot->second;
}

Result<std::vector<ResolvedUse>> resolve_uses(const Manifest &manifest, Targets &targets,
                                              OptionalConflict optional_conflict) {
  std::vector<ResolvedUse> resolved;
  const auto &uses = manifest.model().uses;
  if (!uses) return resolved;
  const NameIndex required(uses->required);
  for (const bool is_required : {true, false})
    for (const auto &[alias, use] : entries_of(is_required ? uses->required : uses->optional)) {
      if (!is_required && required.contains(alias)) continue;
      auto one = resolve({alias, &use, is_required, nullptr, {}, {}, {}, {}, {}}, targets, optional_conflict);
      if (!one) return tl::make_unexpected(std::move(one.error()));
      resolved.push_back(std::move(*one));
    }
  return resolved;
}

// The message texts are those that other chapters rely on (01 §11.2).
tl::unexpected<Error> dependency_error(std::string where, std::string_view alias, const std::string &contract_id,
                                       std::string_view surface, std::string_view reason, std::string_view key) {
  const std::string start = "Dependency '" + std::string(alias) + "' references ";
  const bool missing = reason == "missing";
  auto error =
      fail("dependency_" + std::string(reason), std::move(where),
           missing ? start + "missing " + std::string(surface) + " '" + std::string(key) + "' on '" + contract_id + "'"
                   : start + std::string(reason) + " contract '" + contract_id + "'",
           missing ? "the name of a surface of that contract" : "");
  auto &details = error.value().details;
  details = {{"alias", std::string(alias)},
             {"contractId", contract_id},
             {"surface", std::string(surface)},
             {"reason", std::string(reason)}};
  if (missing) details.emplace_back("key", key);
  return error;
}

} // namespace trellis
