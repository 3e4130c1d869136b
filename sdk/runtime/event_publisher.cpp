#include "runtime/event_publisher.h"

#include "contracts/json_write.h"
#include "transport/jetstream.h"
#include <utility>

namespace trellis {
namespace {

using Cause = EventFailure::Cause;

Cause cause_of(std::string_view code) {
  if (code == transport_error::kNoResponders || code == transport_error::kClosed) return Cause::unavailable;
  if (code == transport_error::kDenied) return Cause::denied;
  if (code == transport_error::kTimeout) return Cause::timeout;
  if (code == transport_error::kTooLarge) return Cause::too_large;
  if (code == transport_error::kInvalid) return Cause::invalid;
  return Cause::failed;
}

std::string cause_text(const Error &error) {
  if (error.code == transport_error::kNoResponders)
    return error.where + ": no stream takes this subject (the event stream is missing)";
  return error.text();
}

EventFailure failure_of(const std::string &event, const Error &error) {
  return event_failure(cause_of(error.code), event, cause_text(error));
}

PublishResult read_answer(const std::string &event, const std::string &id, const std::string &subject,
                          const Result<MessagePtr> &answer) {
  if (!answer) return tl::make_unexpected(failure_of(event, answer.error()));
  const auto ack = read_publish_answer((*answer)->payload(), subject);
  if (!ack) return tl::make_unexpected(failure_of(event, ack.error()));
  return PublishedEvent{id, subject, ack->stream, ack->sequence, ack->duplicate};
}

} // namespace

std::string PublishedEvent::to_json() const {
  return JsonObjectText()
      .text("id", id)
      .text("subject", subject)
      .text("stream", stream)
      .number("sequence", static_cast<std::int64_t>(sequence))
      .flag("duplicate", duplicate)
      .str();
}

void publish_event(Transport &transport, const PreparedEvent &event, std::chrono::milliseconds timeout,
                   std::function<void(PublishResult)> done) {
  const Outbound message{event.subject, {}, event.payload, event.headers.empty() ? nullptr : &event.headers};
  transport.request(message, timeout,
                    [name = event.event, id = event.id(), subject = event.subject, done = std::move(done)](
                        const Result<MessagePtr> &answer) { done(read_answer(name, id, subject, answer)); });
}

PublishResult publish_event_and_wait(Transport &transport, const PreparedEvent &event,
                                     std::chrono::milliseconds timeout) {
  const Outbound message{event.subject, {}, event.payload, event.headers.empty() ? nullptr : &event.headers};
  return read_answer(event.event, event.id(), event.subject, request_and_wait(transport, message, timeout));
}

} // namespace trellis
