// Everything that is counted in one process: of each plugin by its name, and of the process itself.
//
// A plugin's numbers outlive its generations, so that counters go on when it is replaced. Each plugin's own metrics and
// its errors have limits of their own: neither may crowd out what the runtime counts of it.
#pragma once

#include "runtime/metrics_errors.h"
#include "runtime/metrics_set.h"
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

inline constexpr std::size_t kMaxRuntimeSeries = 5000; // of one plugin, counted by the runtime
inline constexpr std::size_t kMaxPluginSeries = 500;   // that a plugin makes itself

// Of one plugin. [thread-safe]
class PluginMetrics {
public:
  MetricSet &runtime() { return runtime_; }
  MetricSet &own() { return own_; } // recorded by the plugin
  ErrorCounter &errors() { return errors_; }
  std::vector<MetricFamily> families() const;

private:
  MetricSet runtime_{kMaxRuntimeSeries}, own_{kMaxPluginSeries};
  ErrorCounter errors_;
};

class MetricsDirectory {
public:
  // `host`: the value of the attribute "host" of every series: several hosts of a machine may be scraped together.
  explicit MetricsDirectory(std::string host) : host_(std::move(host)) {}

  // [thread-safe] The plugin's, made when it is new.
  std::shared_ptr<PluginMetrics> plugin(const std::string &name);
  // [thread-safe] Those of a plugin that was removed are shown no longer.
  void forget(const std::string &name);
  // Of the process as a whole.
  MetricSet &process() { return process_; }

  // [thread-safe] All of them, with the attributes "host" and "plugin"; what has the same name, kind and unit is one.
  std::vector<MetricFamily> families() const;

private:
  const std::string host_;
  MetricSet process_{kMaxRuntimeSeries};
  mutable std::mutex mutex_; // guards plugins_
  std::map<std::string, std::shared_ptr<PluginMetrics>> plugins_;
};

// What the system says of this process, into `set`: trellis.host.memory.resident, trellis.host.open_files ... Names of
// their own, because node_exporter and others call theirs process_*, and a scrape with one name twice is refused whole.
void sample_process(MetricSet &set);

} // namespace trellis
