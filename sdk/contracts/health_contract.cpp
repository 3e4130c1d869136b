#include "contracts/health_contract.h"

namespace trellis {

const Manifest &health_contract() {
  static const Manifest kContract = Manifest::parse(health_contract_text()).value(); // a mistake of ours throws
  return kContract;
}

} // namespace trellis
