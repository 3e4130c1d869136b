// The contracts that exist besides the one in question: the platform's own five, which every installation has (05 §1),
// and those that were given with --with.
//
// The platform's texts are the files of plugins/auth/contracts and sdk/contracts/platform, embedded as data when the
// CLI is built: a file that the operator had to bring could be another version. A given contract of the same id takes
// the place of the platform's.
#pragma once

#include "contracts/authority.h"
#include <string>
#include <vector>

namespace trellis::cli {

struct Surroundings {
  std::vector<Manifest> platform; // core, auth, health, state, jobs
  std::vector<Manifest> given;

  // All of them but what is `contract` itself.
  std::vector<Manifest> others(const Manifest &contract) const;
  KnownContracts known(const Manifest &contract) const; // the same, all active
};

// Errors: those of read_contracts.
Result<Surroundings> read_surroundings(const std::vector<std::string> &files);

// Contract ids that `contract` uses and that aren't there.
std::vector<std::string> unknown_uses(const Manifest &contract, const Surroundings &surroundings);

} // namespace trellis::cli
