// Metrics as text: what Prometheus scrapes (text exposition format 0.0.4), and JSON for programs.
//
// Names become Prometheus' as OpenTelemetry's rules have it: "trellis.rpc.server.duration" in "s" is
// trellis_rpc_server_duration_seconds, and the counter "trellis.errors" in "{error}" is trellis_errors_total. Names and
// units are thereby what OpenMetrics asks for, while the lines stay those that node_exporter's textfile collector
// reads, which knows no OpenMetrics.
#pragma once

#include "runtime/metrics_set.h"
#include <string>
#include <vector>

namespace trellis {

// The family's name in Prometheus, without the suffixes of a histogram's samples.
std::string prometheus_name(const MetricFamily &family);
// The attribute's name as a label.
std::string prometheus_label(std::string_view attribute);

// Families of the same name are written as one. One that would write samples under another's names (two plugins may
// disagree on a kind) is left out, and a comment says so.
std::string prometheus_text(const std::vector<MetricFamily> &families);

// A list of {name, kind, unit, description, series: [{attributes, value}, or {attributes, count, sum, buckets: [{le,
// count}]} with cumulative counts and "le" a number, or "+Inf" for the last]}.
std::string metrics_json(const std::vector<MetricFamily> &families);

} // namespace trellis
