#include "runtime/metrics_text.h"

#include "contracts/canonical.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace trellis {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

std::string sanitized(std::string_view name) {
  std::string out;
  for (const char c : name)
    out += is_name_character(c) ? c : '_';
  return out.empty() || is_digit(out.front()) ? "_" + out : out;
}

// A unit as the names of metrics spell it. "{error}" counts things, which the name says already.
std::string unit_word(std::string_view unit, MetricKind kind) {
  static const std::map<std::string_view, std::string_view> kWords = {
      {"s", "seconds"}, {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}, {"min", "minutes"},
      {"h", "hours"},   {"d", "days"},          {"By", "bytes"},        {"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},
      {"m", "meters"},  {"Cel", "celsius"},     {"W", "watts"},         {"V", "volts"},        {"A", "amperes"},
      {"J", "joules"},  {"g", "grams"},         {"Hz", "hertz"},        {"%", "percent"}};
  if (unit.empty() || unit.front() == '{') return {};
  if (unit == "1") return kind == MetricKind::gauge ? "ratio" : "";
  const auto known = kWords.find(unit);
  return known == kWords.end() ? sanitized(unit) : std::string(known->second);
}

bool ends_with_word(std::string_view name, std::string_view word) {
  return name == word ||
         (name.size() > word.size() && name.ends_with(word) && name[name.size() - word.size() - 1] == '_');
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return ecmascript_number(value);
}

// In HELP lines and label values: one line, whatever it holds.
std::string escaped(std::string_view text, bool is_label) {
  std::string out;
  for (const char c : utf8_text(text)) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && is_label)
      out += "\\\"";
    else
      out += c;
  }
  return out;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string label_text(const Labels &attributes, std::string_view bound = {}) {
  std::string out;
  const auto add = [&](std::string_view name, std::string_view value) {
    out += (out.empty() ? "{" : ",") + std::string(name) + "=\"" + escaped(value, true) + "\"";
  };
  for (const auto &[name, value] : attributes)
    add(prometheus_label(name), value);
  if (!bound.empty()) add("le", bound);
  return out.empty() ? out : out + "}";
}

void add_sample(std::string &out, std::string_view name, const std::string &labels, const std::string &value) {
  out.append(name).append(labels).append(" ").append(value).append("\n");
}

void add_point(std::string &out, const std::string &name, MetricKind kind, const MetricPoint &point) {
  if (kind != MetricKind::histogram) return add_sample(out, name, label_text(point.attributes), number(point.value));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < point.counts.size(); ++i) {
    below += point.counts[i];
    const auto bound = i < point.bounds.size() ? number(point.bounds[i]) : "+Inf";
    add_sample(out, name + "_bucket", label_text(point.attributes, bound), std::to_string(below));
  }
  add_sample(out, name + "_sum", label_text(point.attributes), number(point.sum));
  add_sample(out, name + "_count", label_text(point.attributes), std::to_string(below));
}

std::vector<std::string> sample_names(const std::string &name, MetricKind kind) {
  if (kind != MetricKind::histogram) return {name};
  return {name, name + "_bucket", name + "_sum", name + "_count"};
}

std::string attributes_json(const Labels &attributes) {
  JsonObjectText out;
  for (const auto &[name, value] : attributes)
    out.text(name, value);
  return out.str();
}

std::string joined_list(const std::vector<std::string> &items) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + item;
  return out + "]";
}

std::string point_json(MetricKind kind, const MetricPoint &point) {
  JsonObjectText out;
  out.json("attributes", attributes_json(point.attributes));
  if (kind != MetricKind::histogram) return out.json("value", ecmascript_number(point.value)).str();
  std::uint64_t below = 0;
  std::vector<std::string> buckets;
  for (std::size_t i = 0; i < point.counts.size(); ++i) {
    below += point.counts[i];
    JsonObjectText bucket;
    bucket.json("le", i < point.bounds.size() ? ecmascript_number(point.bounds[i]) : "\"+Inf\"");
    buckets.push_back(bucket.number("count", static_cast<std::int64_t>(below)).str());
  }
  return out.number("count", static_cast<std::int64_t>(below))
      .json("sum", ecmascript_number(point.sum))
      .json("buckets", joined_list(buckets))
      .str();
}

} // namespace

std::string prometheus_label(std::string_view attribute) {
  return sanitized(attribute);
}

std::string prometheus_name(const MetricFamily &family) {
  constexpr std::string_view kTotal = "_total";
  auto name = sanitized(family.name);
  const bool is_counter = family.kind == MetricKind::counter;
  if (is_counter && name.size() > kTotal.size() && name.ends_with(kTotal)) name.resize(name.size() - kTotal.size());
  if (const auto unit = unit_word(family.unit, family.kind); !unit.empty() && !ends_with_word(name, unit))
    name += "_" + unit;
  return is_counter ? name + std::string(kTotal) : name;
}

std::string prometheus_text(const std::vector<MetricFamily> &families) {
  std::map<std::string, std::vector<const MetricFamily *>> by_name;
  for (const auto &family : families)
    if (!family.points.empty()) by_name[prometheus_name(family)].push_back(&family);

  std::string out;
  std::set<std::string> taken;
  for (const auto &[name, same] : by_name) {
    const auto kind = same.front()->kind;
    const auto samples = sample_names(name, kind);
    if (std::ranges::any_of(samples, [&](const auto &sample) { return taken.contains(sample); })) {
      out += "# " + name + " is left out: another metric has samples of that name\n";
      continue;
    }
    taken.insert(samples.begin(), samples.end());
    const auto &description = same.front()->description;
    out += "# HELP " + name + " " + (description.empty() ? "(no description)" : escaped(description, false)) + "\n";
    out += "# TYPE " + name + " " + std::string(metric_kind_name(kind)) + "\n";
    for (const auto *family : same) {
      if (family->kind != kind) {
        out += "# " + std::to_string(family->points.size()) + " series of " + name +
               " are left out: another has it as " + std::string(metric_kind_name(kind)) + "\n";
        continue;
      }
      for (const auto &point : family->points)
        add_point(out, name, kind, point);
    }
  }
  return out;
}

std::string metrics_json(const std::vector<MetricFamily> &families) {
  std::vector<std::string> items;
  for (const auto &family : families) {
    std::vector<std::string> series;
    for (const auto &point : family.points)
      series.push_back(point_json(family.kind, point));
    items.push_back(JsonObjectText()
                        .text("name", family.name)
                        .text("kind", metric_kind_name(family.kind))
                        .text("unit", family.unit)
                        .text("description", family.description)
                        .json("series", joined_list(series))
                        .str());
  }
  return joined_list(items);
}

} // namespace trellis
