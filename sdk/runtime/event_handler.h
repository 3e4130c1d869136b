// A listener of one event, and the threads that it runs on: what live listeners and durable groups have in common.
#pragma once

#include "runtime/event_delivery.h"
#include "runtime/metrics_events.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis {

struct EventHandler {
  std::shared_ptr<const EventType> type;
  // On a thread of the poster. An error is the handler's failure.
  std::function<Result<void>(const EventDelivery &)> handle;
  std::shared_ptr<EventConsumerMetrics> metrics = nullptr; // nullptr: nobody counts
};

// Work for a thread of the plugin: `run(owner, argument)`. `name` lives as long as the task.
struct EventTask {
  void (*run)(void *owner, std::uint64_t argument) = nullptr;
  void *owner = nullptr;
  std::uint64_t argument = 0;
  std::string_view name;
};
// [thread-safe] Never waits. False when there is no room at the moment; the task won't run then.
using PostEventTask = std::function<bool(const EventTask &)>;

// What happened, for the log and the metrics; the receiver is called from any thread and must not block.
struct EventReport {
  enum class Kind {
    listening,      // a group has found its consumer; a live listener its contract, later than others
    not_started,    // a group, or a live listener: the detail says what is missing
    restarting,     // a group lost it, and tries again
    undecodable,    // no JSON, or breaks the schema: skipped (live), terminated (durable)
    handler_failed, // live: the event is lost; durable: it comes again
    given_up,       // durable: it failed in its last delivery, and is lost for the group
    dropped,        // live: the queue is full
    crowded,        // durable: the plugin's queue is full; the message waits
  } kind;
  std::string name; // of the event, or of the group
  std::string detail;
  std::uint64_t times = 1;
};
using OnEventReport = std::function<void(const EventReport &)>;

} // namespace trellis
