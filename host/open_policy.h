// The policy that trellis.toml names.
#pragma once

#include "host_config/config.h"
#include "policy/policy.h"
#include <memory>

namespace trellis::host {

// nullptr for mode "plugin", where the host itself is between the control plane and the others.
Result<std::unique_ptr<Policy>> open_policy(const Config &config);

} // namespace trellis::host
