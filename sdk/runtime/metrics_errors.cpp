#include "runtime/metrics_errors.h"

#include "contracts/json.h"
#include <rapidjson/document.h>
#include <vector>

namespace trellis {
namespace {

constexpr MetricInfo kErrors{MetricKind::counter, "trellis.errors", "{error}", "Failures that the runtime saw."};

} // namespace

void ErrorCounter::count(const ErrorSite &site, std::string_view error) {
  const auto value = parse_json(error, {.max_bytes = error.size()});
  if (value) return count(site, static_cast<const JsonValue &>(*value));
  count(site, JsonValue());
}

void ErrorCounter::count(const ErrorSite &site, const JsonValue &error) {
  const auto given = error_metric(error, site);
  std::vector<MetricAttribute> attributes;
  for (const auto &[name, value] : given)
    attributes.push_back({name, value});
  if (const auto counter = series_.counter(kErrors, attributes)) return (*counter)->count();
  // What an error is comes from outside, where it happened from the contract: that much is always there.
  std::erase_if(attributes, [](const MetricAttribute &attribute) { return attribute.name.ends_with(".type"); });
  attributes.push_back({"trellis.error.type", "other"});
  if (const auto counter = others_.counter(kErrors, attributes)) (*counter)->count();
}

std::vector<MetricFamily> ErrorCounter::families() const {
  auto out = series_.families();
  for (auto &family : others_.families())
    out.push_back(std::move(family));
  return out;
}

} // namespace trellis
