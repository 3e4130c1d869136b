// What a plugin file is and what it would get, found out without running any of it (ARCHITECTURE §3).
//
// A pure function of the file's facts and the contracts that are known: printing and exit codes are the command's.
#pragma once

#include "artifact/artifact.h"
#include "artifact/trust.h"
#include "output.h"
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

struct Inspection {
  Report report;
  std::vector<Error> refusals; // why a host would not run it, whatever the policy says
};

struct InspectionInput {
  std::optional<std::string> signature; // the text of FILE.sig, if there is one
  std::vector<SignerKey> signers;       // what it may be by; none: it isn't checked
  std::vector<Manifest> known;          // contracts that exist besides the file's own
  bool list_imports = false;            // in text too: a C++ plugin imports a hundred symbols
};
Inspection inspect(const Artifact &artifact, const InspectionInput &input);

} // namespace trellis::cli
