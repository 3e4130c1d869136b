// The extension trellis.metrics/1: measurements of a plugin.
#pragma once

#include "runtime/metrics_directory.h"
#include <trellis/plugin.h>

namespace trellis::host {

// What `record` does, on the plugin's metrics. [thread-safe]
trellis_status record_plugin_metric(PluginMetrics &metrics, const trellis_metric *metric, double value,
                                    const trellis_header *attributes, std::size_t attribute_count);

} // namespace trellis::host
