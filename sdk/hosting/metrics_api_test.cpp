// trellis.metrics/1 across the C boundary: structs of every age, and what is malformed.
#include "hosting/metrics_api.h"

#include "abi/abi_values.h"
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <utility>
#include <vector>

using namespace trellis;
using namespace trellis::host;

namespace {

trellis_metric metric(const char *name, std::uint32_t kind = TRELLIS_METRIC_COUNTER) {
  return {sizeof(trellis_metric), kind, str(name), str("{thing}"), str("Things.")};
}

double refused(const PluginMetrics &metrics) {
  for (const auto &family : metrics.families())
    if (family.name == "trellis.metrics.refused") return family.points.front().value;
  return 0;
}

} // namespace

TEST_CASE("a plugin's measurement is kept as it came, also from a struct without its later members") {
  PluginMetrics metrics;
  const auto things = metric("a.things");
  const trellis_header shelf{str("shelf"), str("apple")};
  CHECK(record_plugin_metric(metrics, &things, 2, &shelf, 1) == TRELLIS_OK);
  CHECK(record_plugin_metric(metrics, &things, 1, &shelf, 1) == TRELLIS_OK);
  auto old = metric("a.level", TRELLIS_METRIC_GAUGE);
  old.size = offsetof(trellis_metric, unit);
  std::memset(&old.unit, 0xEE, sizeof old.unit + sizeof old.description); // never there
  CHECK(record_plugin_metric(metrics, &old, 7, nullptr, 0) == TRELLIS_OK);

  const auto families = metrics.families();
  REQUIRE(families.size() == 2);
  CHECK(families[0].unit == "{thing}");
  CHECK(families[0].points.at(0).value == 3);
  CHECK(families[0].points.at(0).attributes.at(0) == std::pair<std::string, std::string>("shelf", "apple"));
  CHECK(families[1].unit.empty());
  CHECK(families[1].points.at(0).value == 7);
}

TEST_CASE("what is malformed is refused, and counted") {
  PluginMetrics metrics;
  auto small = metric("a.things");
  small.size = offsetof(trellis_metric, name);
  const auto unknown_kind = metric("a.things", 4), no_kind = metric("a.things", 0), taken = metric("trellis.errors");
  const auto good = metric("a.things");
  trellis_metric no_text = good;
  no_text.name = {nullptr, 3};
  const std::vector<trellis_header> many(kMaxMetricAttributes + 1, {str("a"), str("b")});
  CHECK(record_plugin_metric(metrics, nullptr, 1, nullptr, 0) == TRELLIS_E_INVALID);
  for (const trellis_metric *bad : {&std::as_const(small), &unknown_kind, &no_kind, &taken, &std::as_const(no_text)})
    CHECK(record_plugin_metric(metrics, bad, 1, nullptr, 0) == TRELLIS_E_INVALID);
  CHECK(record_plugin_metric(metrics, &good, 1, nullptr, 1) == TRELLIS_E_INVALID);
  CHECK(record_plugin_metric(metrics, &good, 1, many.data(), many.size()) == TRELLIS_E_INVALID);
  CHECK(record_plugin_metric(metrics, &good, -1, nullptr, 0) == TRELLIS_E_INVALID);
  CHECK(refused(metrics) == 9);
}

TEST_CASE("beyond its limit a plugin's further series are too many, and the ones that it has go on") {
  PluginMetrics metrics;
  const auto things = metric("a.things");
  const auto record = [&](std::size_t number) {
    const auto value = "n" + std::to_string(number);
    const trellis_header attribute{str("kind"), str(value)};
    return record_plugin_metric(metrics, &things, 1, &attribute, 1);
  };
  for (std::size_t i = 0; i < kMaxPluginSeries; ++i)
    REQUIRE(record(i) == TRELLIS_OK);
  CHECK(record(kMaxPluginSeries) == TRELLIS_E_TOO_LARGE);
  CHECK(record(0) == TRELLIS_OK);
  const auto other_kind = metric("a.things", TRELLIS_METRIC_GAUGE);
  CHECK(record_plugin_metric(metrics, &other_kind, 1, nullptr, 0) != TRELLIS_OK);
}
