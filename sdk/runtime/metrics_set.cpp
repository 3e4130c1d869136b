#include "runtime/metrics_set.h"

#include <algorithm>

namespace trellis {
namespace {

constexpr std::array kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};
constexpr std::array kMilliseconds = {0.5,   1.0,   2.5,   5.0,    10.0,   25.0,   50.0,
                                      100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0};
constexpr std::array kBytes = {256.0,    1024.0,    4096.0,    16384.0,    65536.0,
                               262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0};
constexpr std::array kAnything = {1.0,   2.5,   5.0,    10.0,   25.0,    50.0,     100.0,
                                  250.0, 500.0, 1000.0, 2500.0, 10000.0, 100000.0, 1000000.0};
static_assert(kSeconds.size() <= kMaxMetricBounds && kAnything.size() <= kMaxMetricBounds);

// A name and up to kMaxMetricAttributes names and values, with what parts them.
constexpr std::size_t kMaxKey = (kMaxMetricText + 1) * (1 + 2 * kMaxMetricAttributes);

// Names a series: its own name and its attributes in order. On the stack, because each measurement of a plugin makes
// one.
class SeriesKey {
public:
  // False when it can't be one.
  bool make(std::string_view name, std::span<const MetricAttribute> sorted) {
    if (!append(name)) return false;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i > 0 && sorted[i].name == sorted[i - 1].name) return false;
      if (!append(sorted[i].name) || !append(sorted[i].value)) return false;
    }
    return true;
  }
  std::string_view text() const { return {text_.data(), size_}; }

private:
  bool append(std::string_view part) {
    if (part.size() > kMaxMetricText || part.find('\0') != std::string_view::npos) return false;
    std::copy(part.begin(), part.end(), text_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += part.size();
    text_[size_++] = '\0';
    return true;
  }

  std::array<char, kMaxKey> text_;
  std::size_t size_ = 0;
};

template <class Value>
constexpr MetricKind kKindOf = MetricKind::counter;
template <>
constexpr MetricKind kKindOf<Gauge> = MetricKind::gauge;
template <>
constexpr MetricKind kKindOf<Histogram> = MetricKind::histogram;

} // namespace

std::string_view metric_kind_name(MetricKind kind) {
  switch (kind) {
  case MetricKind::counter: return "counter";
  case MetricKind::gauge: return "gauge";
  case MetricKind::histogram: return "histogram";
  }
  return "unknown";
}

std::span<const double> histogram_bounds(std::string_view unit) {
  if (unit == "s") return kSeconds;
  if (unit == "ms") return kMilliseconds;
  if (unit == "By") return kBytes;
  return kAnything;
}

void Histogram::record(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i <= bounds_.size(); ++i)
    out.push_back(counts_[i].load(std::memory_order_relaxed));
  return out;
}

Result<Counter *> MetricSet::counter(const MetricInfo &info, std::span<const MetricAttribute> attributes) {
  return find<Counter>(info, attributes);
}
Result<Gauge *> MetricSet::gauge(const MetricInfo &info, std::span<const MetricAttribute> attributes) {
  return find<Gauge>(info, attributes);
}
Result<Histogram *> MetricSet::histogram(const MetricInfo &info, std::span<const MetricAttribute> attributes) {
  return find<Histogram>(info, attributes);
}

template <class Value>
Result<Value *> MetricSet::find(const MetricInfo &info, std::span<const MetricAttribute> attributes) {
  const auto series = find_series({kKindOf<Value>, info.name, info.unit, info.description}, attributes);
  if (!series) return tl::make_unexpected(series.error());
  if (auto *value = std::get_if<Value>(&(*series)->value)) return value;
  return fail("metric_kind", std::string(info.name), "the metric is of another kind");
}

Result<MetricSet::Series *> MetricSet::find_series(const MetricInfo &info,
                                                   std::span<const MetricAttribute> attributes) {
  std::array<MetricAttribute, kMaxMetricAttributes> sorted;
  if (attributes.size() > sorted.size())
    return fail("metric_attributes", std::string(info.name), "a series has too many attributes",
                std::to_string(kMaxMetricAttributes) + " at most");
  const auto end = std::copy(attributes.begin(), attributes.end(), sorted.begin());
  std::sort(sorted.begin(), end, [](const auto &a, const auto &b) { return a.name < b.name; });
  const std::span<const MetricAttribute> ordered(sorted.data(), attributes.size());
  SeriesKey key;
  if (!key.make(info.name, ordered))
    return fail("metric_attributes", std::string(info.name), "an attribute is too long, or is given twice");

  const std::lock_guard lock(mutex_);
  if (const auto known = by_key_.find(key.text()); known != by_key_.end()) return known->second;
  if (by_key_.size() >= max_series_)
    return fail("metric_limit", std::string(info.name), "too many different series",
                std::to_string(max_series_) + " at most");
  const auto family = family_of(info);
  if (!family) return tl::make_unexpected(family.error());
  Series &series = (*family)->series.emplace_back();
  for (const auto &attribute : ordered)
    series.attributes.emplace_back(attribute.name, attribute.value);
  switch (info.kind) {
  case MetricKind::counter: series.value.emplace<Counter>(); break;
  case MetricKind::gauge: series.value.emplace<Gauge>(); break;
  case MetricKind::histogram: series.value.emplace<Histogram>(histogram_bounds(info.unit)); break;
  }
  by_key_.emplace(key.text(), &series);
  return &series;
}

Result<MetricSet::Family *> MetricSet::family_of(const MetricInfo &info) {
  if (const auto known = by_name_.find(info.name); known != by_name_.end()) {
    const Family &family = *known->second;
    if (family.kind == info.kind && family.unit == info.unit) return known->second;
    return fail("metric_kind", std::string(info.name), "the metric is of another kind or unit",
                std::string(metric_kind_name(family.kind)) + " of \"" + family.unit + "\"");
  }
  Family &family = families_.emplace_back();
  family.kind = info.kind;
  family.name = info.name;
  family.unit = info.unit;
  family.description = info.description;
  by_name_.emplace(info.name, &family);
  return &family;
}

std::vector<MetricFamily> MetricSet::families() const {
  std::vector<MetricFamily> out;
  const std::lock_guard lock(mutex_);
  for (const auto &family : families_) {
    auto &copy = out.emplace_back(MetricFamily{family.kind, family.name, family.unit, family.description, {}});
    for (const auto &series : family.series) {
      MetricPoint &point = copy.points.emplace_back();
      point.attributes = series.attributes;
      if (const auto *counter = std::get_if<Counter>(&series.value)) point.value = counter->value();
      if (const auto *gauge = std::get_if<Gauge>(&series.value)) point.value = gauge->value();
      if (const auto *histogram = std::get_if<Histogram>(&series.value)) {
        point.bounds = histogram->bounds();
        point.counts = histogram->counts();
        point.sum = histogram->sum();
      }
    }
  }
  return out;
}

std::size_t MetricSet::series() const {
  const std::lock_guard lock(mutex_);
  return by_key_.size();
}

} // namespace trellis
