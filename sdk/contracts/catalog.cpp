#include "contracts/catalog.h"

#include "contracts/compatibility.h"
#include "contracts/json_write.h"
#include "contracts/uses.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

namespace trellis {
namespace {

constexpr char kMissing[] = "missing-active-contract";
constexpr char kInvalid[] = "invalid-active-contract";
constexpr char kIncompatible[] = "incompatible-active-contract";
constexpr char kInvalidUses[] = "invalid-active-contract-uses";

using Texts = std::vector<std::string>;

std::string joined(const Texts &sorted) {
  std::string out;
  for (const auto &text : sorted)
    out += (out.empty() ? "" : ",") + text;
  return out;
}

Texts deployments_of(const std::vector<const CatalogCandidate *> &candidates) {
  std::set<std::string> ids;
  for (const auto *candidate : candidates)
    for (const auto &offer : candidate->offers)
      ids.insert(offer.deployment_id);
  return {ids.begin(), ids.end()};
}

Texts digests_of(const std::vector<const CatalogCandidate *> &candidates) {
  std::set<std::string> digests;
  for (const auto *candidate : candidates)
    digests.insert(candidate->digest);
  return {digests.begin(), digests.end()};
}

// "" for what is built in, so that it comes first (14.2 step 2).
std::string_view first_offered(const CatalogCandidate &candidate) {
  if (candidate.builtin || candidate.offers.empty()) return {};
  return std::min_element(candidate.offers.begin(), candidate.offers.end(),
                          [](const auto &a, const auto &b) { return a.first_offered_at < b.first_offered_at; })
      ->first_offered_at;
}

CatalogAction keep_current(const CatalogIssue &issue, std::string description) {
  return {"keep-current", "Keep what is active", std::move(description),
          "recommended",  issue.deployment_ids,  {issue.digest}};
}

CatalogAction force_replace(const CatalogIssue &issue) {
  return {"force-replace",
          "Replace what is active",
          "End the offers of the contracts that are active now, so that the other one takes their place. Those who use "
          "them may fail.",
          "dangerous",
          issue.effective_deployment_ids,
          issue.effective_digests};
}

// Everything but the kind's own members; the id is made from those last.
CatalogIssue issue_of(const char *kind, const CatalogCandidate &candidate, std::string message) {
  CatalogIssue issue;
  issue.kind = kind;
  issue.contract_id = candidate.contract_id;
  issue.digest = candidate.digest;
  issue.message = std::move(message);
  issue.deployment_ids = deployments_of({&candidate});
  return issue;
}

std::string issue_id_of(const CatalogIssue &issue) {
  return issue.kind + ":" + issue.contract_id + ":" + issue.digest + ":" + joined(issue.effective_digests) + ":" +
         joined(issue.conflicting_digests);
}

class Selection {
public:
  // 14.2 step 1. An offer whose manifest is gone says nothing: its service will present it again.
  std::vector<CatalogCandidate> loaded(std::vector<CatalogCandidate> candidates) {
    std::vector<CatalogCandidate> with_manifest;
    for (auto &candidate : candidates) {
      if (candidate.manifest)
        with_manifest.push_back(std::move(candidate));
      else if (candidate.offers.empty())
        add(issue_of(candidate.invalid ? kInvalid : kMissing, candidate,
                     candidate.invalid ? "The stored manifest is no longer valid."
                                       : "The manifest of an active contract is not stored."));
    }
    return with_manifest;
  }

  // Step 2, for the candidates of one contract id in their order.
  std::vector<const CatalogCandidate *> compatible(const std::vector<const CatalogCandidate *> &candidates) {
    std::vector<const CatalogCandidate *> taken;
    std::vector<Manifest> manifests;
    for (const auto *candidate : candidates) {
      manifests.push_back(*candidate->manifest);
      const auto merged = manifests.size() == 1 ? std::nullopt : conflict(manifests);
      if (!merged) {
        taken.push_back(candidate);
        continue;
      }
      manifests.pop_back();
      add_incompatible(*candidate, taken, *merged);
    }
    return taken;
  }

  // Step 3.
  void resolve(std::vector<const CatalogCandidate *> &kept) {
    for (bool stable = false; !stable;) {
      KnownContracts known;
      for (const auto *candidate : kept)
        known.push_back({.manifest = *candidate->manifest});
      Targets targets(known, Resolution::active);
      const auto before = kept.size();
      std::erase_if(kept, [&](const CatalogCandidate *candidate) {
        const auto uses = resolve_uses(*candidate->manifest, targets);
        if (!uses) add_invalid_uses(*candidate, uses.error());
        return !uses;
      });
      stable = kept.size() == before;
    }
  }

  std::vector<CatalogIssue> issues;

private:
  static std::optional<Error> conflict(const std::vector<Manifest> &manifests) {
    auto merged = merge_lineage(manifests);
    if (merged) return std::nullopt;
    return std::move(merged.error());
  }

  void add_incompatible(const CatalogCandidate &left_out, const std::vector<const CatalogCandidate *> &taken,
                        const Error &why) {
    auto issue = issue_of(kIncompatible, left_out, "Incompatible with what is active: " + why.text());
    issue.effective_digests = digests_of(taken);
    issue.effective_deployment_ids = deployments_of(taken);
    issue.conflicting_digests = {left_out.digest};
    issue.conflicting_deployment_ids = issue.deployment_ids;
    issue.actions.push_back(keep_current(issue, "Leave the newcomer out. Its deployments should go back to a "
                                                "compatible contract."));
    issue.actions.push_back(force_replace(issue));
    add(std::move(issue));
  }

  void add_invalid_uses(const CatalogCandidate &left_out, const Error &why) {
    auto issue = issue_of(kInvalidUses, left_out, "What it requires is not active: " + why.text());
    if (!issue.deployment_ids.empty())
      issue.actions.push_back(keep_current(issue, "Leave it out until what it requires is active."));
    add(std::move(issue));
  }

  void add(CatalogIssue issue) {
    issue.issue_id = issue_id_of(issue);
    issues.push_back(std::move(issue));
  }
};

std::string action_json(const CatalogAction &action) {
  return JsonObjectText()
      .text("action", action.action)
      .text("label", action.label)
      .text("description", action.description)
      .text("risk", action.risk)
      .texts("deploymentIds", action.deployment_ids)
      .texts("digests", action.digests)
      .str();
}

std::string issue_json(const CatalogIssue &issue) {
  JsonObjectText out;
  out.text("issueId", issue.issue_id).text("kind", issue.kind);
  out.text("contractId", issue.contract_id).text("digest", issue.digest).text("message", issue.message);
  out.texts("deploymentIds", issue.deployment_ids);
  if (issue.kind == kIncompatible) {
    out.texts("effectiveDigests", issue.effective_digests).text("conflictingDigest", issue.digest);
    out.texts("conflictingDigests", issue.conflicting_digests);
    out.texts("effectiveDeploymentIds", issue.effective_deployment_ids);
    out.texts("conflictingDeploymentIds", issue.conflicting_deployment_ids);
  }
  std::string actions;
  for (const auto &action : issue.actions)
    actions += (actions.empty() ? "" : ",") + action_json(action);
  return out.json("actions", "[" + actions + "]").str();
}

std::string contract_json(const Manifest &contract) {
  return JsonObjectText()
      .text("id", contract.id())
      .text("digest", contract.digest())
      .text("displayName", contract.model().display_name)
      .text("description", contract.model().description)
      .str();
}

} // namespace

const CatalogIssue *EffectiveCatalog::issue(std::string_view issue_id) const {
  const auto found = std::find_if(issues.begin(), issues.end(), [&](const auto &i) { return i.issue_id == issue_id; });
  return found == issues.end() ? nullptr : &*found;
}

EffectiveCatalog effective_catalog(std::vector<CatalogCandidate> candidates) {
  Selection selection;
  auto loaded = selection.loaded(std::move(candidates));
  std::sort(loaded.begin(), loaded.end(), [](const CatalogCandidate &a, const CatalogCandidate &b) {
    return std::tuple(std::string_view(a.contract_id), !a.builtin, first_offered(a), std::string_view(a.digest)) <
           std::tuple(std::string_view(b.contract_id), !b.builtin, first_offered(b), std::string_view(b.digest));
  });
  std::map<std::string_view, std::vector<const CatalogCandidate *>> by_id;
  for (const auto &candidate : loaded)
    by_id[candidate.contract_id].push_back(&candidate);

  std::vector<const CatalogCandidate *> kept;
  for (const auto &[id, of_id] : by_id) {
    const auto taken = selection.compatible(of_id);
    kept.insert(kept.end(), taken.begin(), taken.end());
  }
  std::sort(kept.begin(), kept.end(), [](const auto *a, const auto *b) {
    return std::tie(a->contract_id, a->digest) < std::tie(b->contract_id, b->digest);
  });
  selection.resolve(kept);

  EffectiveCatalog catalog;
  for (const auto *candidate : kept)
    catalog.contracts.push_back(*candidate->manifest);
  catalog.issues = std::move(selection.issues);
  return catalog;
}

std::string catalog_json(const EffectiveCatalog &catalog) {
  std::string contracts, issues;
  for (const auto &contract : catalog.contracts)
    contracts += (contracts.empty() ? "" : ",") + contract_json(contract);
  for (const auto &issue : catalog.issues)
    issues += (issues.empty() ? "" : ",") + issue_json(issue);
  return JsonObjectText()
      .text("format", "trellis.catalog.v1")
      .json("contracts", "[" + contracts + "]")
      .json("issues", "[" + issues + "]")
      .str();
}

} // namespace trellis
