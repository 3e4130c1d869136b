#include "agent_contract.h"

namespace trellis::cli {

Result<Manifest> agent_contract() {
  return Manifest::parse(agent_contract_text());
}

} // namespace trellis::cli
