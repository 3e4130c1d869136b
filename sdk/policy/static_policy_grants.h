// From an entry of the policy file to NATS credentials: what a caller delegates, what a user JWT says.
#pragma once

#include "contracts/authority.h"
#include "nats/nats_transport.h"
#include "policy/policy.h"
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// The contracts that grants are made from: accepted ones, and of ids without an accepted version those that are known,
// unless they claim subjects of the platform or of an accepted contract. What nobody accepted must not decide which
// subjects a caller of it may publish to.
std::vector<Manifest> granting_contracts(const StaticPolicyFile &file, const std::vector<Manifest> &known);

// What a caller may do with the contracts that are known now. `uses` of an unknown contract grants nothing yet. Errors:
// "caller_uses" naming an rpc that no accepted (or, when none is accepted, no known) version of the contract has, and
// those of plan_approval.
Result<ApprovalPlan> caller_plan(const StaticCaller &caller, const KnownContracts &known);

struct Signer {
  const NkeySeed &key;
  std::string_view account; // public key of the account that `key` signs for
  std::chrono::seconds life;
};

// A user JWT (03 §6.5) for a fresh user key. `use`: "" | "rpc" | "stream" (ARCHITECTURE §5). `now`: Unix seconds.
ConnectionCredentials mint_user(const Signer &signer, std::string_view name, const Permissions &permissions,
                                std::string_view use, std::int64_t now);

} // namespace trellis
