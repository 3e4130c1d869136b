// The contract of this CLI (10 §1.4): what an operator's session may call.
//
// A file in this folder, embedded when the CLI is built. Its id is that of other operator CLIs, so grants are of one
// lineage; its digest differs from theirs, which costs one sign-in when switching between them.
#pragma once

#include "contracts/manifest.h"
#include <string_view>

namespace trellis::cli {

std::string_view agent_contract_text(); // JSON, as in agent_contract.json
Result<Manifest> agent_contract();

} // namespace trellis::cli
