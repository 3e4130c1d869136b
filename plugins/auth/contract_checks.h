// What a contract may not be, whoever asks for it: the control plane is the trust root, so it checks what the hosts
// check before it (ARCHITECTURE §3, 02 §6).
#pragma once

#include "contracts/authority.h"
#include <vector>

namespace trellis::auth {

// Ids and subjects of `builtin` are out of reach (a manifest of `builtin` may be run by a service only when the control
// plane doesn't serve it itself), and so are subjects of other contracts that are active or that this one uses.
Result<void> check_subjects(const Manifest &contract, const std::vector<Manifest> &builtin,
                            const KnownContracts &known);
// The same, and the kind is "service".
Result<void> check_service_contract(const Manifest &contract, const std::vector<Manifest> &builtin,
                                    const KnownContracts &known);

} // namespace trellis::auth
