#include "plugin_gauges.h"

#include <array>

namespace trellis::host {
namespace {

constexpr MetricInfo kWaiting{MetricKind::gauge, "trellis.plugin.requests.waiting", "{request}",
                              "Requests that wait for a worker."};
constexpr MetricInfo kRunning{MetricKind::gauge, "trellis.plugin.requests.running", "{request}",
                              "Requests that a worker is busy with."};
constexpr MetricInfo kUnanswered{MetricKind::gauge, "trellis.plugin.requests.unanswered", "{request}",
                                 "Requests that arrived and have no answer yet."};
constexpr MetricInfo kAbandoned{MetricKind::gauge, "trellis.plugin.requests.abandoned", "{request}",
                                "Requests past their deadline that the plugin still holds."};
constexpr MetricInfo kConnected{MetricKind::gauge, "trellis.nats.connected", "",
                                "1 while the connection to NATS is there, else 0."};
constexpr MetricInfo kConnects{MetricKind::counter, "trellis.nats.connects", "{connection}",
                               "Connections to NATS that were made, rotations included."};
constexpr MetricInfo kRotations{MetricKind::counter, "trellis.nats.rotations", "{rotation}",
                                "Changes to a connection with new credentials."};
constexpr MetricInfo kRefusals{MetricKind::counter, "trellis.nats.permission_errors", "{error}",
                               "Subjects that the NATS server refused to the plugin."};
constexpr MetricInfo kStreams{MetricKind::gauge, "trellis.feed.streams", "{stream}",
                              "Streams of feeds that somebody receives."};
constexpr MetricInfo kOpened{MetricKind::counter, "trellis.feed.streams.opened", "{stream}",
                             "Streams of feeds that were opened."};
constexpr MetricInfo kHeld{MetricKind::gauge, "trellis.feed.streams.abandoned", "{stream}",
                           "Streams that have ended and that the plugin still holds."};
constexpr MetricInfo kEmitted{MetricKind::counter, "trellis.feed.events", "{event}", "Events that feeds have sent."};
constexpr MetricInfo kLost{MetricKind::counter, "trellis.feed.streams.lost", "{stream}",
                           "Streams whose subscriber or connection went away."};
constexpr MetricInfo kUp{MetricKind::gauge, "trellis.plugin.up", "", "1 while the plugin runs, else 0."};
constexpr MetricInfo kGenerations{MetricKind::gauge, "trellis.plugin.generations", "{generation}",
                                  "Copies of the plugin's code in this process."};

void set_gauge(MetricSet &set, const MetricInfo &info, std::size_t value) {
  if (const auto gauge = set.gauge(info, {})) (*gauge)->set(static_cast<double>(value));
}

void count(MetricSet &set, const MetricInfo &info, std::uint64_t times) {
  if (const auto counter = set.counter(info, {})) (*counter)->count(times);
}

} // namespace

void PluginGauges::connection(std::string_view name, bool connected) {
  const std::array<MetricAttribute, 1> attributes = {{{"trellis.connection", name}}};
  if (const auto gauge = metrics_->runtime().gauge(kConnected, attributes)) (*gauge)->set(connected ? 1 : 0);
}

void PluginGauges::sample(const Calls::Counts &calls, const NatsTransport &transport) {
  set(calls);
  sample(transport);
}

void PluginGauges::sample(const FeedStreams::Counts &now) {
  const std::lock_guard lock(mutex_);
  auto &set = metrics_->runtime();
  set_gauge(set, kStreams, now.open);
  set_gauge(set, kHeld, now.abandoned);
  count(set, kOpened, now.opened - last_feeds_.opened);
  count(set, kEmitted, now.emitted - last_feeds_.emitted);
  count(set, kLost, now.lost - last_feeds_.lost);
  last_feeds_ = now;
}

void PluginGauges::clear(const NatsTransport *transport, const FeedStreams *feeds) {
  set({});
  if (transport) sample(*transport);
  if (!feeds) return;
  auto last = feeds->counts();
  last.open = last.abandoned = 0;
  sample(last);
}

void PluginGauges::set(const Calls::Counts &calls) {
  auto &set = metrics_->runtime();
  set_gauge(set, kWaiting, calls.waiting);
  set_gauge(set, kRunning, calls.running);
  set_gauge(set, kUnanswered, calls.unanswered);
  set_gauge(set, kAbandoned, calls.abandoned);
}

void PluginGauges::sample(const NatsTransport &transport) {
  const std::lock_guard lock(mutex_);
  const auto now = transport.counts();
  auto &set = metrics_->runtime();
  count(set, kConnects, now.connects - last_.connects);
  count(set, kRotations, now.rotations - last_.rotations);
  count(set, kRefusals, now.permission_errors - last_.permission_errors);
  last_ = now;
}

void sample_plugin(PluginMetrics &metrics, bool running, std::size_t generations) {
  set_gauge(metrics.runtime(), kUp, running ? 1 : 0);
  set_gauge(metrics.runtime(), kGenerations, generations);
}

} // namespace trellis::host
