// Events and feeds of bench host: how fast a plugin publishes, and how fast it reaches a thousand subscribers.
//
// The floors do the same with nats.c alone: JetStream publishes with the acknowledgements awaited, as many in flight;
// and messages to the same inboxes of the same client.
#pragma once

#include "live/live_host.h"
#include "raw_connection.h"
#include <atomic>
#include <memory>
#include <string>

namespace trellis::bench {

class StreamSite {
public:
  StreamSite();
  ~StreamSite();

  double events_per_second(int count);
  double raw_events_per_second(int count);

  // Opens them; what is measured reaches all.
  void subscribe(int subscribers);
  double deliveries_per_second(int events);
  double raw_deliveries_per_second(int events);

private:
  void call(const std::string &rpc, int count);
  double await_deliveries(std::int64_t count, std::chrono::steady_clock::time_point begun) const;
  std::unique_ptr<RawConnection> connect(const std::string &name, std::vector<std::string> publish,
                                         std::vector<std::string> subscribe);

  test::TempDir folder_;
  test::LiveHost host_;
  std::unique_ptr<test::Caller> caller_;
  RawLoop loop_, publisher_loop_;
  std::unique_ptr<RawConnection> client_, publisher_; // the subscribers' connection, and the floors' one
  std::string inbox_;
  natsSubscription *frames_ = nullptr;
  std::atomic<std::int64_t> received_ = 0;
  int subscribers_ = 0;
};

} // namespace trellis::bench
