// POST /bootstrap/service (04 §7; 02 §6): whether a service instance may run the contract that it presents.
#pragma once

#include "authority_context.h"
#include "deployment_authority.h"
#include <optional>
#include <string_view>

namespace trellis::auth {

// [may block] The whole route. `proofs_valid`: signatures are taken as checked. `artifact`: the contract is to be
// approved from this file only.
BootstrapAnswer bootstrap(AuthorityContext &context, std::string_view body, bool proofs_valid,
                          const std::optional<BoundArtifact> &artifact);

} // namespace trellis::auth
