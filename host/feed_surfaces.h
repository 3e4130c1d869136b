// The feeds of a plugin: one queue subscription each, on a second connection of the plugin, and its open streams.
//
// A second connection, because the right to send to a subscriber lasts as long as the connection's JWT and costs the
// server memory for every message that is delivered on it: requests come in on the first one, whose right ends with
// their reply (ARCHITECTURE §5). It is opened only for plugins that have feeds. When it rotates, the successor takes
// new subscribers and the old one lives on for its streams until its JWT expires.
#pragma once

#include "runtime/feed_streams.h"
#include "surface_kind.h"
#include "transport/transport.h"

namespace trellis::host {

class FeedSurfaces : public SurfaceKind {
public:
  explicit FeedSurfaces(SurfaceContext context);
  ~FeedSurfaces() override;

  Result<void> open() override;
  void drain(std::function<void()> done) override;
  bool wait_idle(Clock::time_point until) override;
  void stop(Clock::time_point until) override;
  void rotate() override;

  FeedStreams &streams() { return streams_; }

private:
  FeedStreams::Hooks hooks();
  Result<void> subscribe(const trellis_handler &handler);
  void run_begin(FeedStreams::Handle handle);
  void run_cancel(FeedStreams::Handle handle);
  void report(FeedStreams::Problem problem, const FeedStreams::Feed &feed, const std::string &detail) const;

  const SurfaceContext context_;
  FeedStreams streams_;
  std::vector<const trellis_handler *> handlers_; // by Feed::index
  std::unique_ptr<NatsTransport> transport_;      // after streams_: it reports its end to them
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

// Whether the contract of `context` has feeds.
bool has_feeds(const Manifest &contract);

} // namespace trellis::host
