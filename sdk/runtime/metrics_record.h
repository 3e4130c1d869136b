// One measurement of a plugin: what it may be called, and what of its attributes is kept.
//
// Names become those of Prometheus, side by side with the runtime's own and with other exporters' on the same machine.
// So the runtime's first word and those of the common exporters are taken, and so are the attributes that a scrape
// adds.
#pragma once

#include "runtime/metrics_set.h"

namespace trellis {

// Counter: adds `value`, 0 or more. Gauge: sets it. Histogram: counts it. A value of an attribute that is no short
// word, or has an id or a subject in it, is dropped with its name (06 §9.1). Errors: "metric_invalid", and those of
// MetricSet.
Result<void> record_metric(MetricSet &set, const MetricInfo &info, double value,
                           std::span<const MetricAttribute> attributes);

} // namespace trellis
