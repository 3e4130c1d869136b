// What a contract gets when its plan is accepted as it stands: the states that a control plane would keep for a
// deployment whose only plan was accepted, made on the spot.
//
// For whoever has no control plane to ask, and wants to know before: static policy, inspection, `trellis contract`.
#pragma once

#include "contracts/authority.h"

namespace trellis {

// The desired state: the whole request, and every surface that the contract provides (02 §4.5).
DesiredState state_when_accepted(const Analysis &analysis);

// Its grants with one accepted offer, which makes the contract's surfaces owned ones (02 §8). Errors: those of analyze
// with Resolution::known_or_pending.
Result<Grants> grants_when_accepted(const Manifest &contract, const KnownContracts &known, DeploymentKind kind);

} // namespace trellis
