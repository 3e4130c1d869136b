// From a received message to an event for a handler: parsed, checked, with its context (06 §6.3, §6.4). Pure.
#pragma once

#include "runtime/event_type.h"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trellis {

class Message;

// One event as its handler gets it.
struct EventDelivery {
  std::shared_ptr<const EventType> type;
  std::string payload; // JSON text, rewritten only when it held duplicate members
  std::string id;      // header.id, or ""
  std::int64_t time_unix_ms = 0;
  std::string subject;
  std::string group;          // "" = live
  std::uint64_t sequence = 0; // of the stream; live: 0
  std::uint32_t delivery = 0; // durable: 1 = first; live: 0
  std::string traceparent, tracestate;
};

// Errors: those of parse_json, and "event_schema" with the first issue.
Result<EventDelivery> read_event(const std::shared_ptr<const EventType> &type, const Message &message);

} // namespace trellis
