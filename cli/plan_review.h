// The review page of an authority plan: what an operator reads before they let a contract in.
//
// Ordered by what matters to the decision: what the contract is, what it will be able to do (the words of the
// capabilities' owners, with their consequences), what it uses, offers, keeps and owns, then warnings and whether the
// plan can still be accepted. The raw plan is JSON of several pages, where all of this is hidden between schemas.
#pragma once

#include "contracts/json.h"
#include <string>
#include <vector>

namespace trellis::cli {

struct ReviewFacts {
  const JsonValue &plan;                   // of Auth.DeploymentAuthority.Plans.Get
  const JsonValue *authority = nullptr;    // of the deployment, as it is now
  const JsonValue *capabilities = nullptr; // entries of Auth.Capabilities.List: the words for other contracts' ones
};
std::string plan_review(const ReviewFacts &facts, bool colour);

// What accepting changed: "+ capability acme.inventory::read", "- resource kv cache"; empty when nothing.
std::vector<std::string> authority_changes(const JsonValue &before, const JsonValue &after);

} // namespace trellis::cli
