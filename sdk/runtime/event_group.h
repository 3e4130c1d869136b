// A durable consumer group: pulls one message at a time from its consumer, runs its handlers, acknowledges (06 §6.4).
//
// One thread for each group drives it; handlers run on the plugin's workers. A message that finds the workers' queue
// full waits here, kept alive by in-progress acks, and nothing else is pulled meanwhile: the group slows down and loses
// nothing. Existing services have four defects that this loop doesn't copy: NAK without delay (event_acks.h), a restart
// without pause after a failure, a spin when the connection closes under the loop, and a slow handler's event being
// delivered a second time because nobody tells the server that it is still worked on.
//
// Ending has two steps, because the connection must outlive them: drain() takes nothing new and finishes what was
// delivered; stop() gives back what is left, so that another process gets it at once. Rejected: a loop without thread,
// driven by callbacks; with pulls, pauses, in-progress acks and drains it was the same states with the order hidden.
#pragma once

#include "runtime/event_consumers.h"
#include "runtime/event_handler.h"
#include "transport/transport.h"
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace trellis {

struct EventGroupConfig {
  std::string group;
  EventConsumer consumer;
  std::string inbox_prefix;           // "_INBOX.<key16>"
  std::vector<EventKey> events;       // of the group: group_events()
  std::vector<EventHandler> handlers; // in registration order
  PostEventTask post;
  OnEventReport report;
  std::chrono::milliseconds restart_min{100}, restart_max{5000}; // pause before another try, doubling
  std::chrono::milliseconds api_timeout{5000};
};

// Events of the group without a handler. A group with such doesn't start (the group start rule). Pure.
std::vector<EventKey> events_without_handler(const EventGroupConfig &config);

// [thread-safe]
class EventGroup {
public:
  using Clock = std::chrono::steady_clock;

  // Starts the loop, unless the start rule forbids it. `transport` outlives this object.
  EventGroup(Transport &transport, EventGroupConfig config);
  // Call stop() first. With a handler that is still running, keep the object: it is what the handler's task works on.
  ~EventGroup();
  EventGroup(const EventGroup &) = delete;
  EventGroup &operator=(const EventGroup &) = delete;

  // The transport has a new connection: requests to the old one's server may be lost, so the group pulls again.
  void connected();
  // Takes nothing new. What was delivered is still handled and acknowledged.
  void drain();
  // [may block] After drain(): waits until the loop has ended; false when `until` came first.
  bool wait_idle(Clock::time_point until);
  // [may block] Ends the loop by `until`; what isn't handled by then is given back. False: a handler still runs.
  bool stop(Clock::time_point until);

private:
  struct State;
  std::shared_ptr<State> state_; // shared with callbacks of the transport, which may come late
};

} // namespace trellis
