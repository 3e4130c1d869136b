#include "runtime/metrics_text.h"

#include "contracts/json.h"
#include "runtime/metrics_directory.h"
#include "runtime/metrics_testing.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;

namespace {

std::string exposed(MetricKind kind, const char *name, const char *unit) {
  return prometheus_name({kind, name, unit, "", {}});
}

constexpr MetricInfo kCounter{MetricKind::counter, "trellis.things", "{thing}",
                              "Things that\nhappened, with \\ in it."};
constexpr MetricInfo kDuration{MetricKind::histogram, "trellis.thing.duration", "s", ""};

} // namespace

TEST_CASE("names carry unit and kind as Prometheus has them, each once") {
  CHECK(exposed(MetricKind::counter, "trellis.errors", "{error}") == "trellis_errors_total");
  CHECK(exposed(MetricKind::histogram, "trellis.rpc.server.duration", "s") == "trellis_rpc_server_duration_seconds");
  CHECK(exposed(MetricKind::gauge, "trellis.host.memory.resident", "By") == "trellis_host_memory_resident_bytes");
  CHECK(exposed(MetricKind::counter, "sent_bytes_total", "By") == "sent_bytes_total");
  CHECK(exposed(MetricKind::counter, "cpu", "s") == "cpu_seconds_total");
  CHECK(exposed(MetricKind::gauge, "load", "1") == "load_ratio");
  CHECK(exposed(MetricKind::gauge, "99th-percentile", "furlong/h") == "_99th_percentile_furlong_h");
}

TEST_CASE("the text is what a strict reader of Prometheus' format takes, whatever values hold") {
  MetricSet set(10);
  const std::vector<MetricAttribute> odd = {{"a.b", "say \"hi\"\\\n"}, {"utf8", "\xC3\xA4\xFF"}};
  (*set.counter(kCounter, odd))->count(3);
  auto *duration = *set.histogram(kDuration, {});
  duration->record(0.0004);
  duration->record(0.3);
  duration->record(600);

  const auto text = prometheus_text(set.families());
  const PrometheusText read(text);
  CHECK(read.type("trellis_things_total") == "counter");
  CHECK(read.value("trellis_things_total{a_b=\"say \\\"hi\\\"\\\\\\n\",utf8=\"\xC3\xA4\xEF\xBF\xBD\"}") == 3);
  CHECK(read.value("trellis_thing_duration_seconds_bucket{le=\"0.0005\"}") == 1);
  CHECK(read.value("trellis_thing_duration_seconds_bucket{le=\"0.5\"}") == 2);
  CHECK(read.value("trellis_thing_duration_seconds_bucket{le=\"+Inf\"}") == 3);
  CHECK(read.value("trellis_thing_duration_seconds_count") == 3);
  CHECK(read.value("trellis_thing_duration_seconds_sum") == 600.3004);
  CHECK(text.find("# HELP trellis_things_total Things that\\nhappened, with \\\\ in it.\n") != std::string::npos);
}

TEST_CASE("numbers of several plugins with one name are one family, and what disagrees is left out and said") {
  MetricsDirectory all("edge-7");
  const MetricInfo depth{MetricKind::gauge, "depth", "", "How deep."};
  (*all.plugin("a")->own().gauge(depth, {}))->set(1);
  (*all.plugin("b")->own().gauge(depth, {}))->set(2.5);
  const MetricInfo other{MetricKind::histogram, "depth", "", "Something else."};
  (*all.plugin("c")->own().histogram(other, {}))->record(1);
  const MetricInfo squatter{MetricKind::gauge, "width_count", "", ""};
  const MetricInfo width{MetricKind::histogram, "width", "", ""};
  (*all.plugin("a")->own().histogram(width, {}))->record(1);
  (*all.plugin("b")->own().gauge(squatter, {}))->set(1);

  const auto text = prometheus_text(all.families());
  const PrometheusText read(text);
  CHECK(read.value(R"(depth{host="edge-7",plugin="a"})") == 1);
  CHECK(read.value(R"(depth{host="edge-7",plugin="b"})") == 2.5);
  CHECK(text.find("# 1 series of depth are left out") != std::string::npos);
  CHECK(read.value(R"(width_count{host="edge-7",plugin="a"})") == 1);
  CHECK(text.find("# width_count is left out") != std::string::npos);
}

TEST_CASE("the process' own numbers are there, and none of them has a name that other exporters use") {
  MetricsDirectory all("edge-7");
  sample_process(all.process());
  const PrometheusText read(prometheus_text(all.families()));
  CHECK(read.sum("trellis_host_memory_resident_bytes") > 1e6);
  CHECK(read.sum("trellis_host_open_files") >= 3);
  CHECK(read.sum("trellis_host_open_files_limit") >= 3);
  CHECK(read.sum("trellis_host_threads") >= 1);
  CHECK(read.sum("trellis_host_cpu_time_seconds_total") > 0);
}

TEST_CASE("as JSON a histogram has its count, its sum and cumulative buckets") {
  MetricSet set(10);
  (*set.histogram(kDuration, {}))->record(0.3);
  (*set.counter(kCounter, {}))->count();
  const auto list = parse_json(metrics_json(set.families())).value();
  REQUIRE(list.Size() == 2);
  CHECK(string_member(list[0], "name") == "trellis.thing.duration");
  CHECK(string_member(list[0], "unit") == "s");
  const auto &series = (*find_member(list[0], "series"))[0];
  CHECK(find_member(series, "count")->GetInt() == 1);
  CHECK(find_member(series, "sum")->GetDouble() == 0.3);
  const auto &buckets = *find_member(series, "buckets");
  CHECK(string_member(buckets[buckets.Size() - 1], "le") == "+Inf");
  CHECK(find_member(buckets[buckets.Size() - 1], "count")->GetInt() == 1);
  CHECK(find_member((*find_member(list[1], "series"))[0], "value")->GetDouble() == 1);
}
