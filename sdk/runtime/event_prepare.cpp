#include "runtime/event_prepare.h"

#include "contracts/event_subject.h"
#include "contracts/json_write.h"
#include "wire/names.h"
#include "wire/ulid.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

constexpr char kHeaderMember[] = "header";

tl::unexpected<EventFailure> invalid(const EventType &type, std::string_view what) {
  return tl::make_unexpected(event_failure(EventFailure::Cause::invalid, type.name, what));
}

// 06 §1.1: the one failure that names what the caller left out.
tl::unexpected<EventFailure> missing_value(const Error &error) {
  auto envelope = validation_error({{error.where, "has no value, and the subject needs one"}});
  envelope.context = JsonObjectText().text("key", error.where).str();
  return tl::make_unexpected(EventFailure{EventFailure::Cause::invalid, std::move(envelope)});
}

std::string issues_text(const std::vector<SchemaIssue> &issues) {
  std::string out = "the payload breaks the event's schema";
  for (const auto &issue : issues)
    out += "; " + issue.path + ": " + issue.message;
  return out;
}

JsonValue string_value(std::string_view text, JsonDocument::AllocatorType &allocator) {
  return JsonValue(text.data(), static_cast<rapidjson::SizeType>(text.size()), allocator);
}

void set_header(JsonDocument &payload, const EventHeader &header) {
  auto &allocator = payload.GetAllocator();
  JsonValue value(rapidjson::kObjectType);
  value.AddMember("id", string_value(header.id, allocator), allocator);
  value.AddMember("time", string_value(header.time, allocator), allocator);
  const auto found = payload.FindMember(kHeaderMember);
  if (found != payload.MemberEnd())
    found->value = value;
  else
    payload.AddMember(kHeaderMember, value, allocator);
}

bool is_header_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
}

void add_trace(Headers &headers, const EventTrace &trace) {
  if (wire::trace_id_of(trace.traceparent).empty()) return;
  headers.push_back({wire::kTraceparent, std::string(trace.traceparent)});
  if (!trace.tracestate.empty() && is_header_text(trace.tracestate))
    headers.push_back({wire::kTracestate, std::string(trace.tracestate)});
}

tl::unexpected<Error> bad_member(std::string_view member, std::string expected) {
  return fail("invalid_prepared_event", json_pointer(member), "isn't what a prepared event has there",
              std::move(expected));
}

} // namespace

EventFailure event_failure(EventFailure::Cause cause, std::string_view event, std::string_view what) {
  auto envelope = unexpected_error(what);
  envelope.context = JsonObjectText().text("event", event).text("causeMessage", what).str();
  return {cause, std::move(envelope)};
}

EventHeader new_event_header() {
  return {new_ulid(), iso_time(unix_ms_now())};
}

tl::expected<PreparedEvent, EventFailure> prepare_event(const EventType &type, std::string_view data,
                                                        const EventHeader &header, const EventTrace &trace) {
  auto payload = parse_json(data, {.max_bytes = data.size()});
  if (!payload) return invalid(type, payload.error().text());
  if (!payload->IsObject()) return invalid(type, "an event is a JSON object");
  auto subject = expand_subject(type.subject, *payload, SubjectMode::publish);
  if (!subject) return missing_value(subject.error());
  set_header(*payload, header);
  if (!type.payload.valid(*payload)) return invalid(type, issues_text(type.payload.check(*payload)));

  PreparedEvent out;
  out.event = type.name;
  out.subject = std::move(*subject);
  out.payload = to_json(*payload);
  out.headers = {{kMessageIdHeader, header.id}};
  add_trace(out.headers, trace);
  return out;
}

std::string PreparedEvent::id() const {
  for (const auto &header : headers)
    if (header.name == kMessageIdHeader) return header.value;
  const auto parsed = parse_json(payload, {.max_bytes = payload.size()});
  const auto *header = parsed ? find_member(*parsed, kHeaderMember) : nullptr;
  return header ? std::string(string_member(*header, "id")) : std::string();
}

std::string PreparedEvent::to_json() const {
  JsonObjectText names;
  for (const auto &header : headers)
    names.text(header.name, header.value);
  return JsonObjectText()
      .text("event", event)
      .text("subject", subject)
      .json("payload", payload)
      .text("encodedPayload", payload)
      .json("headers", names.str())
      .str();
}

Result<PreparedEvent> parse_prepared_event(std::string_view text) {
  const auto value = parse_json(text, {.max_bytes = text.size()});
  if (!value) return tl::make_unexpected(value.error());
  PreparedEvent out;
  out.event = string_member(*value, "event");
  out.subject = string_member(*value, "subject");
  out.payload = string_member(*value, "encodedPayload");
  if (out.event.empty()) return bad_member("event", "the event's name");
  if (out.subject.empty()) return bad_member("subject", "the concrete subject");
  if (!parse_json(out.payload, {.max_bytes = out.payload.size()})) return bad_member("encodedPayload", "a JSON text");
  const auto *headers = find_member(*value, "headers");
  if (!headers || !headers->IsObject()) return bad_member("headers", "an object of texts");
  for (const auto &header : headers->GetObject()) {
    if (!header.value.IsString()) return bad_member("headers", "an object of texts");
    out.headers.push_back({std::string(text_of(header.name)), std::string(text_of(header.value))});
  }
  return out;
}

} // namespace trellis
