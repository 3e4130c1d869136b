// The bodies of the service bootstrap route (04 §7), as static policy gives them.
//
// Member names and their order are the route's. Members that static policy has no value for are left out, as absent
// members are: the servers (the host has them in [nats]) and the sentinel (no connection goes through a callout).
#pragma once

#include "contracts/authority.h"
#include "contracts/json_write.h"
#include "contracts/manifest.h"
#include "policy/policy.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis {

// "Common context C" of 04 §7. An empty member is left out.
struct BootstrapContext {
  std::string instance_id, deployment_id, contract_id, contract_digest;
};

// {reason, message, ...context}: the start of every refusal after the checks of the request itself.
JsonObjectText refusal(std::string_view reason, std::string_view message, const BootstrapContext &context = {});

PolicyAnswer ready_answer(std::string_view session_key, const Manifest &contract, std::int64_t now);
// `requested`: everything that the contract asks for, because nothing of it is granted yet.
PolicyAnswer update_required_answer(const BootstrapContext &context, const Needs &requested);
// `error`: a dependency error of analyze.
// The same when the contract is accepted, but not from this file.
PolicyAnswer artifact_required_answer(const BootstrapContext &context, const Needs &requested,
                                      const ArtifactFacts &artifact);
PolicyAnswer activation_pending_answer(const BootstrapContext &context, const Error &error);
// Static policy provides no resources, so this is final until the contract changes.
PolicyAnswer resources_unavailable_answer(const BootstrapContext &context, const ResourceNeed &need);

} // namespace trellis
