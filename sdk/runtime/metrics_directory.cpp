#include "runtime/metrics_directory.h"

#include <iterator>
#include <tuple>

namespace trellis {
namespace {

template <class T>
void append(std::vector<T> &out, std::vector<T> more) {
  out.insert(out.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::vector<MetricFamily> merged(std::vector<MetricFamily> families) {
  std::vector<MetricFamily> out;
  std::map<std::tuple<std::string, MetricKind, std::string>, std::size_t> places;
  for (auto &family : families) {
    const auto [place, is_new] = places.try_emplace({family.name, family.kind, family.unit}, out.size());
    if (is_new)
      out.push_back(std::move(family));
    else
      append(out[place->second].points, std::move(family.points));
  }
  return out;
}

void prefix(std::vector<MetricFamily> &families, const char *name, const std::string &value) {
  for (auto &family : families)
    for (auto &point : family.points)
      point.attributes.insert(point.attributes.begin(), {name, value});
}

} // namespace

std::vector<MetricFamily> PluginMetrics::families() const {
  auto out = runtime_.families();
  append(out, errors_.families());
  append(out, own_.families());
  return out;
}

std::shared_ptr<PluginMetrics> MetricsDirectory::plugin(const std::string &name) {
  const std::lock_guard lock(mutex_);
  auto &entry = plugins_[name];
  if (!entry) entry = std::make_shared<PluginMetrics>();
  return entry;
}

void MetricsDirectory::forget(const std::string &name) {
  const std::lock_guard lock(mutex_);
  plugins_.erase(name);
}

std::vector<MetricFamily> MetricsDirectory::families() const {
  auto out = process_.families();
  const std::lock_guard lock(mutex_);
  for (const auto &[name, metrics] : plugins_) {
    auto families = metrics->families();
    prefix(families, "plugin", name);
    append(out, std::move(families));
  }
  prefix(out, "host", host_);
  return merged(std::move(out));
}

} // namespace trellis
