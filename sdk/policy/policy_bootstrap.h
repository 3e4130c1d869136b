// What static policy answers to a service bootstrap (04 §7, 02 §6): a pure function of the policy file, the contracts
// that the host knows, the time and the request.
//
// In place of a control plane's deployments there is the file: a digest in [[accept]] is an accepted plan, a key in
// [[callers]] is a user's and therefore no service's, and every other key is an instance.
#pragma once

#include "contracts/authority.h"
#include "policy/policy.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

struct PolicyFacts {
  const StaticPolicyFile &file;
  const std::vector<Manifest> &known;
  std::int64_t now = 0; // Unix seconds
};

struct BootstrapDecision {
  PolicyAnswer answer;
  std::string session_key, contract_digest; // who asked for what; set when the request was well-formed and signed
  std::optional<Manifest> presented;        // a valid manifest that came with the request
  std::optional<Manifest> ready;            // set exactly when the answer is 200
  bool only_this_file = false;              // refused, but the contract may run from another file
};

BootstrapDecision decide_bootstrap(const PolicyFacts &facts, std::string_view request, const ArtifactFacts &artifact);

// The contract, from some file; also the one that heartbeats are of, which no file has to name (and none can serve).
bool is_accepted(const StaticPolicyFile &file, std::string_view contract_id, std::string_view digest);

// `known` as analysis wants it: accepted contracts are the active ones. The contract with `except_digest` is left out.
KnownContracts known_contracts(const StaticPolicyFile &file, const std::vector<Manifest> &known,
                               std::string_view except_digest = {});

} // namespace trellis
