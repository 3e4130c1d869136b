// Which contracts are in force, and why others aren't (01 §14, 05 §7.1). Pure: the control plane brings what is built
// in or offered, and shows what comes out.
//
// Left-out contracts become issues instead of errors, because one careless deployment must not take the catalog away
// from everybody else: whoever was offered first stays.
#pragma once

#include "contracts/manifest.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// An active offer (02 §11.2; whoever reads the offers decides that).
struct CatalogOffer {
  std::string deployment_id;
  std::string first_offered_at; // ISO text
};

// One active digest: built in, or with an active offer behind it.
struct CatalogCandidate {
  std::string contract_id, digest;
  std::optional<Manifest> manifest; // none: not stored, or
  bool invalid = false;             // stored, but no longer valid
  bool builtin = false;
  std::vector<CatalogOffer> offers;
};

struct CatalogAction {
  std::string action; // "keep-current" | "force-replace"
  std::string label, description;
  std::string risk; // "recommended" | "dangerous"
  std::vector<std::string> deployment_ids, digests;
};

struct CatalogIssue {
  std::string issue_id;
  std::string kind; // "missing-active-contract" | "invalid-active-contract" | "incompatible-active-contract" |
                    // "invalid-active-contract-uses"
  std::string contract_id, digest; // of what was left out
  std::string message;
  std::vector<std::string> deployment_ids; // that offer it, sorted
  // Only for "incompatible-active-contract": what was kept instead, and what was left out.
  std::vector<std::string> effective_digests, effective_deployment_ids;
  std::vector<std::string> conflicting_digests, conflicting_deployment_ids;
  std::vector<CatalogAction> actions;
};

struct EffectiveCatalog {
  std::vector<Manifest> contracts; // by id, then digest
  std::vector<CatalogIssue> issues;

  const CatalogIssue *issue(std::string_view issue_id) const; // nullptr: there is none
};

// `candidates` in any order, each digest once.
EffectiveCatalog effective_catalog(std::vector<CatalogCandidate> candidates);

// The `catalog` member of Trellis.Catalog's reply: {format, contracts, issues}.
std::string catalog_json(const EffectiveCatalog &catalog);

} // namespace trellis
