// What the host knows of a running plugin without counting it: queue, connection, generations. Sampled when somebody
// asks (`trellis host metrics`), so that it costs nothing in between.
#pragma once

#include "hosting/calls.h"
#include "nats/nats_transport.h"
#include "runtime/feed_streams.h"
#include "runtime/metrics_directory.h"
#include <mutex>

namespace trellis::host {

// Of one generation; its numbers go on in those of the next. [thread-safe]
class PluginGauges {
public:
  explicit PluginGauges(std::shared_ptr<PluginMetrics> metrics) : metrics_(std::move(metrics)) {}

  PluginMetrics &metrics() { return *metrics_; }
  // `name`: "own", or that of a privileged one.
  void connection(std::string_view name, bool connected);
  void sample(const Calls::Counts &calls, const NatsTransport &transport);
  void sample(const FeedStreams::Counts &feeds);
  // The generation has ended.
  void clear(const NatsTransport *transport, const FeedStreams *feeds);

private:
  void sample(const NatsTransport &transport);
  void set(const Calls::Counts &calls);

  const std::shared_ptr<PluginMetrics> metrics_;
  std::mutex mutex_; // guards what follows
  NatsTransport::Counts last_;
  FeedStreams::Counts last_feeds_;
};

// What holds for a plugin whether it runs or not.
void sample_plugin(PluginMetrics &metrics, bool running, std::size_t generations);

} // namespace trellis::host
