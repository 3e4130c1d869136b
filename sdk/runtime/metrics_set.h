// Numbers that somebody reads from time to time: counters, gauges and histograms, apart by attributes.
//
// Who counts often gets a series once, when it is wired, and then only adds to atomics: no lock, no lookup, no memory.
// Each plugin has sets of its own, so that plugins share no lock either. A set holds a bounded number of series,
// because attributes may come from outside: what is beyond is refused, and the caller says so. A series is never
// removed, which is what lets everybody keep a pointer. Rejected: a tracing or metrics SDK, which brings threads,
// exporters and allocations for each measurement, for numbers that are read twice a minute.
#pragma once

#include "contracts/result.h"
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace trellis {

enum class MetricKind { counter, gauge, histogram };
std::string_view metric_kind_name(MetricKind kind);

// What is measured. The views only need to live during a call; own metrics are constants.
struct MetricInfo {
  MetricKind kind = MetricKind::counter;
  std::string_view name;        // "trellis.rpc.server.duration"
  std::string_view unit;        // as UCUM has it: "s", "By", "{request}", or empty
  std::string_view description; // one line, or empty
};

struct MetricAttribute {
  std::string_view name;
  std::string_view value;
};

inline constexpr std::size_t kMaxMetricAttributes = 16;   // of one series
inline constexpr std::size_t kMaxMetricText = 96;         // bytes of a name, a unit, or a value that comes from outside
inline constexpr std::size_t kMaxMetricDescription = 512; // bytes
inline constexpr std::size_t kMaxMetricBounds = 16;       // of one histogram

// All three are [thread-safe] and never wait.
class Counter {
public:
  void count(std::uint64_t times = 1) { whole_.fetch_add(times, std::memory_order_relaxed); }
  void add(double amount) { part_.fetch_add(amount, std::memory_order_relaxed); }
  // In place of both, for totals that somebody else counts.
  void show(double total) { part_.store(total, std::memory_order_relaxed); }
  double value() const {
    return static_cast<double>(whole_.load(std::memory_order_relaxed)) + part_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> whole_ = 0;
  std::atomic<double> part_ = 0;
};

class Gauge {
public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<double> value_ = 0;
};

class Histogram {
public:
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {}
  void record(double value);

  std::span<const double> bounds() const { return bounds_; }
  // How many values lie in each bucket, the last one beyond all bounds. Not cumulative.
  std::vector<std::uint64_t> counts() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

private:
  const std::span<const double> bounds_; // a constant: see histogram_bounds
  std::array<std::atomic<std::uint64_t>, kMaxMetricBounds + 1> counts_{};
  std::atomic<double> sum_ = 0;
};

// Upper bounds of the buckets for values of this unit, ascending: 0.5 ms to 10 s for "s" and "ms", 256 bytes to 64 MiB
// for "By", else 1 to a million.
std::span<const double> histogram_bounds(std::string_view unit);

// One family of series as it was at one moment.
struct MetricPoint {
  std::vector<std::pair<std::string, std::string>> attributes; // by name
  double value = 0;                                            // counter, gauge
  std::span<const double> bounds;                              // histogram
  std::vector<std::uint64_t> counts;
  double sum = 0;
};
struct MetricFamily {
  MetricKind kind = MetricKind::counter;
  std::string name, unit, description;
  std::vector<MetricPoint> points;
};

class MetricSet {
public:
  explicit MetricSet(std::size_t max_series) : max_series_(max_series) {}
  MetricSet(const MetricSet &) = delete;
  MetricSet &operator=(const MetricSet &) = delete;

  // [thread-safe] The series with these attributes, in any order, made when it is new; it stays as long as the set.
  // Errors: "metric_kind" (known as another kind, or with another unit), "metric_attributes" (too many, too long, or
  // one twice), "metric_limit" (no room for another series).
  Result<Counter *> counter(const MetricInfo &info, std::span<const MetricAttribute> attributes);
  Result<Gauge *> gauge(const MetricInfo &info, std::span<const MetricAttribute> attributes);
  Result<Histogram *> histogram(const MetricInfo &info, std::span<const MetricAttribute> attributes);

  // [thread-safe] In the order of their first series.
  std::vector<MetricFamily> families() const;
  std::size_t series() const;

private:
  struct Series {
    std::vector<std::pair<std::string, std::string>> attributes;
    std::variant<std::monostate, Counter, Gauge, Histogram> value;
  };
  struct Family {
    MetricKind kind = MetricKind::counter;
    std::string name, unit, description;
    std::deque<Series> series; // a deque: they stay where they are
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class Value>
  Result<Value *> find(const MetricInfo &info, std::span<const MetricAttribute> attributes);
  Result<Series *> find_series(const MetricInfo &info, std::span<const MetricAttribute> attributes);
  Result<Family *> family_of(const MetricInfo &info); // with the lock

  const std::size_t max_series_;
  mutable std::mutex mutex_; // guards everything below, but not the values in the series
  std::deque<Family> families_;
  std::unordered_map<std::string, Family *, Hash, std::equal_to<>> by_name_;
  std::unordered_map<std::string, Series *, Hash, std::equal_to<>> by_key_;
};

} // namespace trellis
