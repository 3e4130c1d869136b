// Who may hold a contract id of the platform: those that start with "trellis.".
//
// One table for all who ask: the host before it loads a plugin, the control plane before it plans for a service, and
// the CLI that inspects a file. The control plane may hold any of them; a provider the one that its role serves; an
// ordinary service none, or it would be taken for the platform by whoever reads its name.
#pragma once

#include "contracts/result.h"
#include <string_view>

namespace trellis {

// `role`: as trellis.toml names it. Error "contract_id_reserved", where = "/id".
Result<void> check_contract_id(std::string_view contract_id, std::string_view role);

} // namespace trellis
