// A live listener: hands the messages of one core NATS subscription to its handler, one at a time and in order
// (06 §6.3).
//
// Delivery is at most once. Messages wait in a queue of the listener's own, which is bounded: when the handler is too
// slow the newest are dropped and said, because a live listener that lags for minutes is no longer live. One at a time,
// as existing clients do it, although that leaves workers idle: the order of events is what a listener has.
#pragma once

#include "runtime/event_handler.h"
#include "transport/transport.h"
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace trellis {

// What to subscribe to: the event's subject with wildcards, except for tokens that `subject_data` (a JSON object, or
// "") fixes. Error "subject_data": it is no JSON object.
Result<std::string> listener_subject(const EventType &type, std::string_view subject_data);

// [thread-safe]
class EventListener {
public:
  using Clock = std::chrono::steady_clock;

  EventListener(EventHandler handler, PostEventTask post, std::size_t max_waiting, OnEventReport report);
  // Call stop() first. With a handler that is still running, keep the object.
  ~EventListener();
  EventListener(const EventListener &) = delete;
  EventListener &operator=(const EventListener &) = delete;

  // [network thread] Queues the message, or drops it.
  void arrive(MessagePtr message);
  // [may block] Waits until everything that arrived was handled; false when `until` came first.
  bool wait_idle(Clock::time_point until);
  // Drops what waits, and takes nothing more.
  void stop();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis
