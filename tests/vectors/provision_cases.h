// Where kind provision of resource-bindings is registered.
#pragma once

#include "runner.h"

namespace trellis::vectors {

void register_provision(Registry &registry);

} // namespace trellis::vectors
