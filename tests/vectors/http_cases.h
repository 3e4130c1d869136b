// The procedures of the HTTP chapter: 04.
#pragma once

#include "runner.h"

namespace trellis::vectors {

void register_http_config(Registry &registry);
void register_http_derivations(Registry &registry);
void register_http_flows(Registry &registry);

} // namespace trellis::vectors
