#include "hosting/metrics_api.h"

#include "abi/abi_values.h"
#include "runtime/metrics_record.h"
#include <array>

namespace trellis::host {
namespace {

constexpr MetricInfo kRefused{MetricKind::counter, "trellis.metrics.refused", "{measurement}",
                              "Measurements of the plugin that were malformed, or too many different ones."};

trellis_status record(MetricSet &set, const trellis_metric *metric, double value, const trellis_header *attributes,
                      std::size_t attribute_count) {
  if (!metric || !TRELLIS_HAS(trellis_metric, metric, name) || !is_text(metric->name)) return TRELLIS_E_INVALID;
  if (metric->kind < TRELLIS_METRIC_COUNTER || metric->kind > TRELLIS_METRIC_HISTOGRAM) return TRELLIS_E_INVALID;
  if (attribute_count > kMaxMetricAttributes || (attribute_count > 0 && !attributes)) return TRELLIS_E_INVALID;
  MetricInfo info;
  info.kind = metric->kind == TRELLIS_METRIC_COUNTER ? MetricKind::counter
              : metric->kind == TRELLIS_METRIC_GAUGE ? MetricKind::gauge
                                                     : MetricKind::histogram;
  info.name = view(metric->name);
  if (TRELLIS_HAS(trellis_metric, metric, unit)) info.unit = view(metric->unit);
  if (TRELLIS_HAS(trellis_metric, metric, description)) info.description = view(metric->description);
  std::array<MetricAttribute, kMaxMetricAttributes> list;
  for (std::size_t i = 0; i < attribute_count; ++i)
    list[i] = {view(attributes[i].name), view(attributes[i].value)};
  const auto done = record_metric(set, info, value, std::span(list).first(attribute_count));
  if (done) return TRELLIS_OK;
  return done.error().code == "metric_limit" ? TRELLIS_E_TOO_LARGE : TRELLIS_E_INVALID;
}

} // namespace

trellis_status record_plugin_metric(PluginMetrics &metrics, const trellis_metric *metric, double value,
                                    const trellis_header *attributes, std::size_t attribute_count) {
  const auto status = record(metrics.own(), metric, value, attributes, attribute_count);
  if (status != TRELLIS_OK)
    if (const auto counter = metrics.runtime().counter(kRefused, {})) (*counter)->count();
  return status;
}

} // namespace trellis::host
