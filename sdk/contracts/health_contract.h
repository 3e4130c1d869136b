// trellis.health@v1, the contract of heartbeats (06 §8.1): the one contract of the platform that means the same with
// and without a control plane, because nobody serves it. Whoever publishes Health.Heartbeat and whoever reads it have
// the event stream between them.
//
// So it lies here and not with the control plane's other contracts: static policy accepts it as if its file said so,
// and a host knows it for those that listen. Its digest is protocol data; display texts and docs are ours. Rejected: an
// [[accept]] for it in each policy file, which would tie files at the edge to a digest that nobody there reviews.
#pragma once

#include "contracts/manifest.h"
#include <string_view>

namespace trellis {

std::string_view health_contract_text(); // the manifest as it is shipped
const Manifest &health_contract();

} // namespace trellis
