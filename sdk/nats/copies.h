// Tells the second copy of a message from the first, while two connections have the same plain subscription.
//
// In a rotation the successor subscribes before the old connection stops, so that nothing is lost, and for about one
// round trip the server sends every message to both. Most users can't tell: a live event would be handled twice, a feed
// would repeat a frame. What came in on one connection is therefore remembered until the other brings it. Messages have
// no id of their own: a copy is one with the same bytes, counted, so that a sender who says the same thing twice is
// heard twice. What only the old connection got, in the instant before the successor's subscription, may swallow an
// equal message within the next second. Rejected: to subscribe after the old connection has stopped, which loses what
// comes in between.
#pragma once

#include "contracts/encoding.h"
#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>

namespace trellis {

class Message;

// [thread-safe]
class Copies {
public:
  // Two connections have the subscription from now on, until end(). What is on its way by then still counts.
  void begin();
  void end();
  // Whether the other connection has brought it. Asked once for each message, before anybody else reads it.
  bool is_copy(const void *connection, const Message &message);

private:
  using Clock = std::chrono::steady_clock;
  struct Ahead {
    const void *connection = nullptr; // that brought it
    int times = 0;                    // more often than the other one
  };

  std::atomic<bool> expected_ = false; // at other times a message costs no more than this
  std::mutex mutex_;                   // guards what follows
  Clock::time_point until_ = {};
  std::map<Sha256, Ahead> ahead_;
};

} // namespace trellis
