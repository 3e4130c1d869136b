// Publishing prepared events: JetStream publish, and the stream's acknowledgement (06 §6.2).
//
// The asynchronous form holds no thread while it waits, so that a handler can publish thousands; the blocking one is
// for an outbox and for programs. Rejected: core publish without acknowledgement, as some existing services do, which
// reports success for events that no stream has.
#pragma once

#include "runtime/event_prepare.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace trellis {

inline constexpr std::chrono::milliseconds kPublishTimeout{5000};

struct PublishedEvent {
  std::string id, subject, stream;
  std::uint64_t sequence = 0;
  bool duplicate = false; // the stream had it already, which is success

  std::string to_json() const;
};
using PublishResult = tl::expected<PublishedEvent, EventFailure>;

// `done` runs exactly once, on a network or timer thread or inside the call, and must not block.
void publish_event(Transport &transport, const PreparedEvent &event, std::chrono::milliseconds timeout,
                   std::function<void(PublishResult)> done);
// [may block] Not for network or timer threads.
PublishResult publish_event_and_wait(Transport &transport, const PreparedEvent &event,
                                     std::chrono::milliseconds timeout = kPublishTimeout);

} // namespace trellis
