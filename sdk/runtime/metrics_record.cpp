#include "runtime/metrics_record.h"

#include "contracts/json_write.h"
#include "runtime/metrics_text.h"
#include "wire/error_metric.h"
#include <algorithm>
#include <cmath>

namespace trellis {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Letters, digits, "_" and ".", a letter first.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxMetricText && is_letter(text.front()) &&
         std::ranges::all_of(text,
                             [](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.'; });
}

bool is_taken(std::string_view name) {
  constexpr std::string_view kTaken[] = {"trellis", "process", "node", "go", "promhttp", "scrape"};
  return std::ranges::find(kTaken, name.substr(0, name.find_first_of("._"))) != std::end(kTaken);
}

bool is_added_label(std::string_view label) {
  return label == "host" || label == "plugin" || label == "le";
}

// One line of text.
bool is_line(std::string_view text, std::size_t most) {
  return text.size() <= most && is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

tl::unexpected<Error> invalid(const MetricInfo &info, const char *what, const char *expected = "") {
  return fail("metric_invalid", utf8_text(info.name.substr(0, kMaxMetricText)), what, expected);
}

Result<void> check(const MetricInfo &info, double value) {
  if (!is_name(info.name)) return invalid(info, "no name for a metric", "a letter, then letters, digits, _ and .");
  if (is_taken(info.name)) return invalid(info, "the name's first word is taken");
  if (!is_line(info.unit, kMaxMetricText)) return invalid(info, "the unit is no short text");
  if (!is_line(info.description, kMaxMetricDescription)) return invalid(info, "the description is too long");
  if (!std::isfinite(value)) return invalid(info, "the value is no number");
  if (info.kind == MetricKind::counter && value < 0) return invalid(info, "a counter can't go back");
  return {};
}

// What is kept of the given attributes.
struct KeptAttributes {
  std::array<std::string, kMaxMetricAttributes> values;
  std::array<MetricAttribute, kMaxMetricAttributes> list;
  std::size_t count = 0;

  bool has(const std::string &label) const {
    return std::any_of(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count),
                       [&](const auto &kept) { return prometheus_label(kept.name) == label; });
  }
};

Result<void> keep(KeptAttributes &kept, const MetricInfo &info, std::span<const MetricAttribute> attributes) {
  if (attributes.size() > kMaxMetricAttributes) return invalid(info, "too many attributes");
  for (const auto &[name, value] : attributes) {
    const auto label = is_name(name) ? prometheus_label(name) : std::string();
    if (label.empty() || is_added_label(label)) return invalid(info, "an attribute's name is malformed or taken");
    if (kept.has(label)) return invalid(info, "an attribute is given twice");
    auto &text = kept.values[kept.count] = bounded_attribute(value);
    if (!text.empty()) kept.list[kept.count++] = {name, text};
  }
  return {};
}

template <class Value>
Result<void> apply(Result<Value *> found, void (Value::*change)(double), double value) {
  if (!found) return tl::make_unexpected(std::move(found.error()));
  ((*found)->*change)(value);
  return {};
}

} // namespace

Result<void> record_metric(MetricSet &set, const MetricInfo &info, double value,
                           std::span<const MetricAttribute> attributes) {
  if (auto good = check(info, value); !good) return good;
  KeptAttributes kept;
  if (auto good = keep(kept, info, attributes); !good) return good;
  const std::span<const MetricAttribute> list(kept.list.data(), kept.count);
  switch (info.kind) {
  case MetricKind::counter: return apply(set.counter(info, list), &Counter::add, value);
  case MetricKind::gauge: return apply(set.gauge(info, list), &Gauge::set, value);
  case MetricKind::histogram: return apply(set.histogram(info, list), &Histogram::record, value);
  }
  return invalid(info, "an unknown kind");
}

} // namespace trellis
