// What is provisioned, by itself and by a control plane.
#pragma once

#include "runner.h"

namespace trellis::vectors {

void register_provision(Registry &registry);        // resource-bindings, kind provision
void register_resource_configs(Registry &registry); // parts of jobs-wire and object-store

} // namespace trellis::vectors
