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
  event.traceparent = message.header(wire::kTraceparent);
  event.tracestate = message.header(wire::kTracestate);
  read_header(event, *payload);
  return event;
}

} // namespace trellis
