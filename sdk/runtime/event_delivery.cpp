#include "runtime/event_delivery.h"

#include "contracts/json_write.h"
#include "transport/transport.h"
#include "wire/names.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>

namespace trellis {
namespace {

void read_header(EventDelivery &event, const JsonValue &payload) {
  const auto *header = find_member(payload, "header");
  if (!header) return;
  event.id = string_member(*header, "id");
  std::int64_t time = 0;
  if (parse_iso_time(string_member(*header, "time"), time)) event.time_unix_ms = time;
}

// An invalid trace context is as good as none (W3C Trace Context §3.2), and handlers read texts.
void take_trace(EventDelivery &event, const Message &message) {
  const auto traceparent = message.header(wire::kTraceparent);
  if (wire::trace_id_of(traceparent).empty()) return;
  event.traceparent = traceparent;
  if (const auto tracestate = message.header(wire::kTracestate); is_utf8(tracestate)) event.tracestate = tracestate;
}

} // namespace

Result<EventDelivery> read_event(const std::shared_ptr<const EventType> &type, const Message &message) {
  const auto text = message.payload();
  const auto payload = parse_json(text, {.max_bytes = text.size()});
  if (!payload) return tl::make_unexpected(payload.error());
  if (!type->payload.valid(*payload)) {
    const auto issues = type->payload.check(*payload, 1);
    return fail("event_schema", issues.empty() ? "#" : issues.front().path,
                issues.empty() ? "breaks the event's schema" : issues.front().message);
  }
  EventDelivery event;
  event.type = type;
  event.payload = unambiguous_json(text, *payload);
  event.subject = message.subject();
  take_trace(event, message);
  read_header(event, *payload);
  return event;
}

} // namespace trellis
