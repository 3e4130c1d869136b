// Prepared events: an event as it will be published, made without sending it (06 §6.2).
//
// Preparing and publishing are two steps so that an outbox can store what was made and publish it later, any number of
// times, with the same id: the stream drops the second copy. A prepared event is immutable and holds neither contract
// id nor digest, as existing clients write it.
#pragma once

#include "runtime/event_type.h"
#include "transport/transport.h"
#include "wire/error_envelope.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis {

inline constexpr char kMessageIdHeader[] = "Nats-Msg-Id";

// Why an event was not prepared or not published. `envelope` is what a caller sees (06 §6.2).
struct EventFailure {
  enum class Cause { invalid, denied, unavailable, timeout, too_large, failed } cause = Cause::failed;
  ErrorEnvelope envelope;
};

struct PreparedEvent {
  std::string event;   // "Billing.Paid"
  std::string subject; // the concrete one
  std::string payload; // JSON text: the record's `encodedPayload`
  Headers headers;

  // What the stream tells copies by: the header Nats-Msg-Id, else header.id, else "".
  std::string id() const;
  // {event, subject, payload, encodedPayload, headers}
  std::string to_json() const;
};

// Reads what to_json() or an existing client wrote. Error "invalid_prepared_event" names the member.
Result<PreparedEvent> parse_prepared_event(std::string_view text);

// What the payload's `header` will hold.
struct EventHeader {
  std::string id;   // a ULID
  std::string time; // ISO 8601 UTC with milliseconds
};
EventHeader new_event_header(); // of this moment

// W3C trace context to pass on; one that isn't valid is left out.
struct EventTrace {
  std::string_view traceparent, tracestate;
};

// `data`: the caller's JSON object. Its subject comes from this data; its `header` is replaced where it stands, or
// appended. A pointer of the subject without a value is a ValidationError with that pointer; everything else that is
// wrong is an UnexpectedError with context.event.
tl::expected<PreparedEvent, EventFailure> prepare_event(const EventType &type, std::string_view data,
                                                        const EventHeader &header, const EventTrace &trace = {});

// UnexpectedError with context {event, causeMessage}.
EventFailure event_failure(EventFailure::Cause cause, std::string_view event, std::string_view what);

} // namespace trellis
