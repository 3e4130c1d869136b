#include "runtime/metrics_directory.h"
#include "runtime/metrics_events.h"
#include "runtime/metrics_record.h"
#include "runtime/metrics_rpc.h"
#include "runtime/metrics_surfaces.h"
#include "runtime/rpc_fixture.h"
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr MetricInfo kThings{MetricKind::counter, "things", "{thing}", "Things."};

// The value of the one series whose attributes hold all of `attributes`; -1 when there is none.
double value_of(const std::vector<MetricFamily> &families, std::string_view name,
                const std::map<std::string, std::string> &attributes) {
  for (const auto &family : families) {
    if (family.name != name) continue;
    for (const auto &point : family.points) {
      const std::map<std::string, std::string> has(point.attributes.begin(), point.attributes.end());
      bool matches = true;
      for (const auto &[key, value] : attributes)
        matches = matches && has.contains(key) && has.at(key) == value;
      if (!matches) continue;
      double count = point.value;
      for (const auto in_bucket : point.counts)
        count += static_cast<double>(in_bucket);
      return count;
    }
  }
  return -1;
}

// A served rpc, counted.
struct Served {
  RpcFixture rpc;
  PluginMetrics metrics;
  RpcServerMetrics counts{metrics.runtime(), metrics.errors(), "Billing.Charge"};

  void refused(const FakeMessage &message) { counts.count(std::get<RpcReply>(rpc.admit(message)), 1ms); }
  double requests(const char *outcome) const {
    return value_of(metrics.families(), "trellis.rpc.server.requests", {{"trellis.outcome", outcome}});
  }
  double errors(const std::map<std::string, std::string> &attributes) const {
    return value_of(metrics.families(), "trellis.errors", attributes);
  }
};

} // namespace

TEST_CASE("the same attributes in another order are the same series") {
  MetricSet set(10);
  const std::array<MetricAttribute, 2> one = {{{"a", "1"}, {"b", "2"}}}, other = {{{"b", "2"}, {"a", "1"}}};
  CHECK(*set.counter(kThings, one) == *set.counter(kThings, other));
  CHECK(set.series() == 1);
}

TEST_CASE("a set refuses what would grow it beyond its limit, and keeps counting what it has") {
  MetricSet set(2);
  const std::array<MetricAttribute, 1> a = {{{"a", "1"}}}, b = {{{"a", "2"}}}, c = {{{"a", "3"}}};
  CHECK(set.counter(kThings, a));
  CHECK(set.counter(kThings, b));
  CHECK(set.counter(kThings, c).error().code == "metric_limit");
  CHECK(set.counter(kThings, a));
}

TEST_CASE("a metric keeps its kind and its unit") {
  MetricSet set(10);
  CHECK(set.counter(kThings, {}));
  CHECK(set.gauge({MetricKind::gauge, "things", "{thing}", ""}, {}).error().code == "metric_kind");
  const std::array<MetricAttribute, 1> more = {{{"a", "1"}}};
  CHECK(set.gauge({MetricKind::gauge, "things", "{thing}", ""}, more).error().code == "metric_kind");
  CHECK(set.counter({MetricKind::counter, "things", "By", ""}, more).error().code == "metric_kind");
}

TEST_CASE("attributes that are too long, too many or there twice are refused") {
  MetricSet set(10);
  const std::string long_value(kMaxMetricText + 1, 'x');
  const std::array<MetricAttribute, 1> too_long = {{{"a", long_value}}};
  CHECK(set.counter(kThings, too_long).error().code == "metric_attributes");
  const std::array<MetricAttribute, 2> twice = {{{"a", "1"}, {"a", "2"}}};
  CHECK(set.counter(kThings, twice).error().code == "metric_attributes");
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= kMaxMetricAttributes; ++i)
    names.push_back("a" + std::to_string(i));
  std::vector<MetricAttribute> many(names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    many[i] = {names[i], "x"};
  CHECK(set.counter(kThings, many).error().code == "metric_attributes");
  CHECK(set.series() == 0);
}

TEST_CASE("counting from many threads loses nothing") {
  MetricSet set(10);
  Counter *counter = *set.counter(kThings, {});
  Histogram *histogram = *set.histogram({MetricKind::histogram, "sizes", "By", ""}, {});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int times = 0; times < 10'000; ++times) {
          counter->count();
          histogram->record(1000);
        }
      });
  }
  CHECK(counter->value() == 40'000);
  CHECK(histogram->sum() == 40'000'000);
}

TEST_CASE("each way to end a request is counted once, under its outcome") {
  Served served;
  served.counts.count(success_reply(served.rpc.method, R"({"id":"x"})", ""), 3ms);
  served.counts.count(success_reply(served.rpc.method, R"({"id":7})", ""), 3ms);
  served.counts.count(runtime_error_reply(served.rpc.method, kOverloadedCode, "", ""), 0ms);
  served.counts.count(runtime_error_reply(served.rpc.method, kStoppingCode, "", ""), 0ms);
  served.counts.count(runtime_error_reply(served.rpc.method, kDeadlineCode, "", ""), 10s);
  served.refused(served.rpc.message("oops"));
  CHECK(served.requests("ok") == 1);
  CHECK(served.requests("error") == 1);
  CHECK(served.requests("overloaded") == 1);
  CHECK(served.requests("stopping") == 1);
  CHECK(served.requests("deadline") == 1);
  CHECK(served.requests("refused") == 1);
  CHECK(value_of(served.metrics.families(), "trellis.rpc.server.duration", {{"rpc.method", "Billing.Charge"}}) ==
        6 + 0);
}

TEST_CASE("trellis.errors says in which phase a request failed, and why") {
  Served served;
  served.refused(served.rpc.message("oops"));
  served.refused(served.rpc.message(R"({"cents":"x"})"));
  auto unsigned_message = served.rpc.message();
  unsigned_message.header_list.clear();
  served.refused(unsigned_message);
  const auto request = served.rpc.admitted(served.rpc.message());
  const auto fails = [&](const char *type, const char *fields = "") {
    served.counts.count(error_reply(served.rpc.service, served.rpc.method, request, {type, "why", "", fields}).reply,
                        1ms);
  };
  fails("QuotaExceededError", R"({"limit":3})");
  fails("");
  served.counts.count(success_reply(served.rpc.method, "oops", ""), 1ms);
  served.counts.count_unsent();

  const std::map<std::string, std::string> everywhere = {{"trellis.surface", "rpc"},
                                                         {"trellis.direction", "server"},
                                                         {"trellis.operation", "Billing.Charge"},
                                                         {"messaging.system", "nats"}};
  const auto errors = [&](const char *phase, const char *type, std::map<std::string, std::string> more = {}) {
    more.insert(everywhere.begin(), everywhere.end());
    more.emplace("trellis.phase", phase);
    more.emplace("trellis.error.type", type);
    return served.errors(more);
  };
  CHECK(errors("parse", "UnexpectedError") == 1);
  CHECK(errors("input_validation", "ValidationError") == 1);
  CHECK(errors("auth", "AuthError", {{"trellis.auth.reason", "missing_session_key"}}) == 1);
  CHECK(errors("handler_result", "QuotaExceededError") == 1);
  CHECK(errors("handler_throw", "UnexpectedError") == 1);
  CHECK(errors("output_encoding", "ValidationError") == 1);
  CHECK(errors("output_encoding", "TransportError") == 1);
}

TEST_CASE("errors of endlessly many types are counted together beyond the limit") {
  PluginMetrics metrics;
  for (std::size_t i = 0; i < 2 * kMaxErrorSeries; ++i)
    metrics.errors().count({.surface = "event", .direction = "consumer"},
                           R"({"type":"Type)" + std::to_string(i) + "\"}");
  CHECK(metrics.families().front().points.size() <= kMaxErrorSeries);
  CHECK(value_of(metrics.families(), "trellis.errors", {{"trellis.error.type", "other"}}) > 0);
}

TEST_CASE("calls of other services are counted, with where they failed") {
  ScriptedTransport transport;
  const auto key = SessionKey::generate();
  const auto method = charge_method();
  PluginMetrics metrics;
  RpcClientMetrics counts(metrics.runtime(), metrics.errors());
  RpcClient client(
      transport, key, [] { return kNow; },
      [&](const auto &called, const auto &result, auto took) { counts.count(called, result, took); });
  const auto call = [&](const char *input, const std::function<Result<MessagePtr>()> &answer) {
    transport.on_request = [answer](const Outbound &, std::chrono::milliseconds, const Transport::OnReply &on_reply) {
      on_reply(answer());
    };
    return client.call_and_wait(method, input);
  };
  const auto reply = [](const char *payload, bool is_error = false) {
    return [=]() -> Result<MessagePtr> { return reply_message(payload, is_error); };
  };
  constexpr char kInput[] = R"({"cents":1})";
  CHECK(call(kInput, reply(R"({"id":"x"})")));
  CHECK_FALSE(call("{}", reply("{}")));
  CHECK_FALSE(call(kInput, reply("oops")));
  CHECK_FALSE(call(kInput, reply(R"({"id":"1","type":"Odd","message":"m"})", true)));
  CHECK_FALSE(call(kInput, [] { return Result<MessagePtr>(fail(transport_error::kTimeout, "s", "t")); }));

  const auto phase = [&](const char *name) {
    return value_of(metrics.families(), "trellis.errors", {{"trellis.direction", "client"}, {"trellis.phase", name}});
  };
  CHECK(phase("request_encoding") == 1);
  CHECK(phase("response_decoding") == 1);
  CHECK(phase("remote_error") == 1);
  CHECK(phase("request_send") == 1);
  CHECK(value_of(metrics.families(), "trellis.errors", {{"trellis.remote_error.type", "Odd"}}) == 1);
  CHECK(value_of(metrics.families(), "trellis.rpc.client.requests", {{"trellis.outcome", "ok"}}) == 1);
  CHECK(value_of(metrics.families(), "trellis.rpc.client.requests", {{"trellis.outcome", "failed"}}) == 3);
  CHECK(value_of(metrics.families(), "trellis.rpc.client.requests", {{"trellis.outcome", "error"}}) == 1);
}

TEST_CASE("a replaced plugin's counters go on, and a removed one's are gone") {
  MetricsDirectory all("edge-7");
  (*all.plugin("a")->own().counter(kThings, {}))->count();
  (*all.plugin("a")->own().counter(kThings, {}))->count();
  CHECK(value_of(all.families(), "things", {{"plugin", "a"}}) == 2);
  all.forget("a");
  CHECK(all.families().empty());
}

TEST_CASE("a plugin's measurement is kept with the attributes that are words, and without those that are ids") {
  MetricSet set(10);
  const MetricInfo reserved{MetricKind::counter, "inventory.reservations", "{item}", "Reserved items."};
  const std::vector<MetricAttribute> attributes = {{"shelf", "apple"}, {"order", "01JZ0000000000000000000000"}};
  REQUIRE(record_metric(set, reserved, 2, attributes));
  REQUIRE(record_metric(set, reserved, 0.5, attributes));
  CHECK(value_of(set.families(), "inventory.reservations", {{"shelf", "apple"}}) == 2.5);
  CHECK(value_of(set.families(), "inventory.reservations", {{"order", "01JZ0000000000000000000000"}}) == -1);
  REQUIRE(record_metric(set, {MetricKind::gauge, "inventory.level", "", ""}, 7, {}));
  REQUIRE(record_metric(set, {MetricKind::gauge, "inventory.level", "", ""}, -3, {}));
  CHECK(value_of(set.families(), "inventory.level", {}) == -3);
}

TEST_CASE("a measurement that is malformed, or has a name that others use, is refused") {
  MetricSet set(10);
  const auto refuses = [&](MetricKind kind, std::string_view name, double value = 1,
                           const std::vector<MetricAttribute> &attributes = {}) {
    const auto done = record_metric(set, {kind, name, "", ""}, value, attributes);
    return !done && done.error().code == "metric_invalid";
  };
  const std::string long_name(kMaxMetricText + 1, 'a');
  for (const std::string_view name : {"", "1st", "with space", "caf\xC3\xA9", "trellis.errors", "trellis_x",
                                      "process.x", "node_load1", "go.x", long_name.c_str()})
    CHECK(refuses(MetricKind::counter, name));
  CHECK(refuses(MetricKind::counter, "x", -1));
  CHECK(refuses(MetricKind::gauge, "x", std::nan("")));
  CHECK(refuses(MetricKind::gauge, "x", INFINITY));
  CHECK(refuses(MetricKind::gauge, "x", 1, {{"plugin", "other"}}));
  CHECK(refuses(MetricKind::gauge, "x", 1, {{"le", "1"}}));
  CHECK(refuses(MetricKind::gauge, "x", 1, {{"a.b", "1"}, {"a_b", "2"}}));
  CHECK(refuses(MetricKind::gauge, "x", 1, {{"a b", "1"}}));
  CHECK(set.series() == 0);
  CHECK(record_metric(set, {MetricKind::gauge, "nodes", "", ""}, 1, {}));
}

TEST_CASE("a group's answers are told apart by what they say, whatever delay they carry") {
  MetricSet set(20);
  EventConsumerMetrics group(set, "Orders.Placed", "billing"), live(set, "Orders.Placed", "");
  for (const char *ack : {"+ACK", "+ACK", "-NAK", R"(-NAK {"delay":5000000000})", "+TERM", "+WPI"})
    group.answered(ack);
  live.answered("+ACK"); // it has nobody to answer
  group.delivered();
  live.delivered();
  live.delivered();
  const auto families = set.families();
  const auto acks = [&](const char *outcome) {
    return value_of(
        families, "trellis.event.consumer.acks",
        {{"trellis.operation", "Orders.Placed"}, {"trellis.group", "billing"}, {"trellis.outcome", outcome}});
  };
  CHECK(acks("ack") == 2);
  CHECK(acks("nak") == 2);
  CHECK(acks("term") == 1);
  CHECK(value_of(families, "trellis.event.consumer.deliveries", {{"trellis.mode", "durable"}}) == 1);
  CHECK(value_of(families, "trellis.event.consumer.deliveries", {{"trellis.mode", "ephemeral"}}) == 2);
  CHECK(set.series() == 5);
}

TEST_CASE("events that a full set has no room for aren't counted, and nothing breaks") {
  MetricSet set(1);
  EventConsumerMetrics group(set, "Orders.Placed", "billing"), other(set, "Orders.Billed", "billing");
  other.delivered();
  other.answered("+ACK");
  group.delivered();
  group.answered("-NAK");
  count_published(set, "Orders.Placed", true);
  CHECK(set.series() == 1);
  CHECK(value_of(set.families(), "trellis.event.consumer.deliveries", {}) == 1);
}

TEST_CASE("published events are counted by how that ended") {
  MetricSet set(10);
  count_published(set, "Orders.Placed", true);
  count_published(set, "Orders.Placed", true);
  count_published(set, "Orders.Placed", false);
  CHECK(value_of(set.families(), "trellis.event.publisher.events", {{"trellis.outcome", "ok"}}) == 2);
  CHECK(value_of(set.families(), "trellis.event.publisher.events", {{"trellis.outcome", "failed"}}) == 1);
}

TEST_CASE("durations of all rpcs together, by the bounds of their buckets") {
  PluginMetrics metrics;
  CHECK(served_durations(metrics.runtime()).counts.empty());
  RpcServerMetrics one(metrics.runtime(), metrics.errors(), "A.One"), two(metrics.runtime(), metrics.errors(), "A.Two");
  one.count({}, 100us);
  two.count({}, 100us);
  two.count({}, 60s);
  const auto durations = served_durations(metrics.runtime());
  REQUIRE(durations.counts.size() == durations.bounds.size() + 1);
  CHECK(durations.bounds.front() == 0.0005);
  CHECK(durations.counts.front() == 2);
  CHECK(durations.counts.back() == 1);
}

TEST_CASE("a listener that fails in its last delivery is one error, of the event") {
  ErrorCounter errors;
  count_listener_error(errors, {EventReport::Kind::handler_failed, "Orders.Placed", "no"});
  count_listener_error(errors, {EventReport::Kind::given_up, "books", "failed in all of its 6 deliveries"});
  const auto families = errors.families();
  CHECK(value_of(families, "trellis.errors", {{"trellis.operation", "Orders.Placed"}}) == 1);
  CHECK(value_of(families, "trellis.errors", {{"trellis.operation", "books"}}) == -1);
}
