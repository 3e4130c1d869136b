// A plugin's own numbers, beside those that the host keeps of it: Service::metric.
//
//   auto reserved = service.metric<trellis::metric::Counter>("inventory.reservations", "{item}", "Reserved items.");
//   ...
//   reserved.add(3, {{"shelf", "apple"}});
//
// `trellis host metrics` shows them with the plugin's name. Attributes keep apart what is counted apart; ids don't
// belong there, and the host drops what looks like one. Recording never throws and never waits: false says that the
// host refused it, because it is malformed or there are too many different ones, or that this host has no metrics.
#pragma once

#include "trellis/plugin.h"
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace trellis::metric {

struct Attribute {
  std::string_view name;
  std::string_view value;
};
using Attributes = std::initializer_list<Attribute>;
inline constexpr std::size_t kMaxAttributes = 16;

// [thread-safe] Copyable; lives as long as the plugin at most.
class Metric {
public:
  Metric(const trellis_host *host, std::uint32_t kind, std::string name, std::string unit, std::string description)
      : host_(host), kind_(kind), name_(std::move(name)), unit_(std::move(unit)), description_(std::move(description)) {
    constexpr std::string_view kId = TRELLIS_EXT_METRICS;
    functions_ = static_cast<const trellis_metrics_v1 *>(host->get_extension(host->self, str(kId)));
  }

protected:
  bool record(double value, Attributes attributes) const {
    if (!functions_ || attributes.size() > kMaxAttributes) return false;
    const trellis_metric metric{sizeof(trellis_metric), kind_, str(name_), str(unit_), str(description_)};
    trellis_header list[kMaxAttributes];
    std::size_t count = 0;
    for (const auto &attribute : attributes)
      list[count++] = {str(attribute.name), str(attribute.value)};
    return functions_->record(host_->self, &metric, value, list, count) == TRELLIS_OK;
  }

private:
  static trellis_str str(std::string_view text) { return {text.data(), text.size()}; }

  const trellis_host *host_;
  const trellis_metrics_v1 *functions_ = nullptr;
  std::uint32_t kind_;
  std::string name_, unit_, description_;
};

class Counter : public Metric {
public:
  static constexpr std::uint32_t kKind = TRELLIS_METRIC_COUNTER;
  using Metric::Metric;
  bool add(double amount = 1, Attributes attributes = {}) const { return record(amount, attributes); }
};

class Gauge : public Metric {
public:
  static constexpr std::uint32_t kKind = TRELLIS_METRIC_GAUGE;
  using Metric::Metric;
  bool set(double value, Attributes attributes = {}) const { return record(value, attributes); }
};

class Histogram : public Metric {
public:
  static constexpr std::uint32_t kKind = TRELLIS_METRIC_HISTOGRAM;
  using Metric::Metric;
  bool record(double value, Attributes attributes = {}) const { return Metric::record(value, attributes); }
};

} // namespace trellis::metric
