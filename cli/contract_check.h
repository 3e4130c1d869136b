// Everything that can be said against a contract without a control plane (01 §2, §4, §11 to §13), found in one go.
//
// Manifest::validate has passed before: it stops at its first failure, because later steps need the earlier ones. What
// is checked here is independent, so an author gets all of it at once.
#pragma once

#include "contract_file.h"
#include "contract_platform.h"
#include "contracts/authority.h"
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

struct Findings {
  std::vector<Error> errors, warnings; // with pointers into the manifest; SourcedContract::place makes them readable
  std::vector<std::string> namespaces; // of its subjects
  std::vector<std::string> unknown;    // contracts that it uses and that weren't given: those uses aren't checked
};

// `deployment`: which kind of deployment it is checked for; the one of its own kind when there is none. Apps and agents
// aren't installed, theirs is the check of a login (02 §10).
Findings check_contract(const SourcedContract &contract, const Surroundings &surroundings,
                        std::optional<DeploymentKind> deployment);

} // namespace trellis::cli
