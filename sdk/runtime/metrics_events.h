// Counts of the events that a plugin hears and publishes.
//
//   trellis.event.consumer.deliveries {trellis.operation, trellis.mode, trellis.group}
//     each message that a listener or a group took, redeliveries included; mode: "ephemeral" or "durable" (06 §6.3)
//   trellis.event.consumer.acks {trellis.operation, trellis.group, trellis.outcome}
//     what a group answered the stream with: "ack", "nak" or "term"
//   trellis.event.publisher.events {trellis.operation, trellis.outcome}
//     "ok": the stream has it
//
// trellis.operation is the event, as in trellis.errors (06 §9.1). A listener has its series from its wiring on.
#pragma once

#include "runtime/metrics_set.h"
#include <array>
#include <string>
#include <string_view>

namespace trellis {

// Of one listener, or of one event in a group. [thread-safe]
class EventConsumerMetrics {
public:
  // `set` outlives it. `group` "": a live listener. What has no room in the set isn't counted.
  EventConsumerMetrics(MetricSet &set, std::string_view event, std::string_view group);

  void delivered();
  void answered(std::string_view ack); // a body of event_acks.h

private:
  Counter *deliveries_ = nullptr;
  std::array<Counter *, 3> acks_{};
};

// [thread-safe] A publish that ended, acknowledged by the stream or not.
void count_published(MetricSet &set, std::string_view event, bool acknowledged);

} // namespace trellis
