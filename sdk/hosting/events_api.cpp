#include "hosting/events_api.h"

#include "abi/abi_values.h"
#include "hosting/host_api.h"
#include "runtime/event_publishing.h"
#include <functional>
#include <utility>

namespace trellis::host {
namespace {

using Cause = EventFailure::Cause;

trellis_status status_of(Cause cause) {
  switch (cause) {
  case Cause::invalid: return TRELLIS_E_INVALID;
  case Cause::denied: return TRELLIS_E_DENIED;
  case Cause::unavailable: return TRELLIS_E_UNAVAILABLE;
  case Cause::timeout: return TRELLIS_E_TIMEOUT;
  case Cause::too_large: return TRELLIS_E_TOO_LARGE;
  case Cause::failed: return TRELLIS_E_FAILED;
  }
  return TRELLIS_E_FAILED;
}

trellis_error error_of(const ErrorEnvelope &error) {
  return {sizeof(trellis_error), 0, str(error.type), str(error.message), str(error.context), str(error.fields)};
}

trellis_status refused(const EventFailure &failure, trellis_error_sink error) {
  const auto out = error_of(failure.envelope);
  if (error.report) error.report(error.context, &out);
  return status_of(failure.cause);
}

std::chrono::milliseconds timeout_of(std::uint32_t given) {
  return given > 0 ? std::chrono::milliseconds(given) : kPublishTimeout;
}

void write(trellis_sink sink, const std::string &text) {
  if (sink.write) sink.write(sink.context, str(text));
}

using Prepared = tl::expected<PreparedEvent, EventFailure>;

Prepared prepare_of(EventPublishing *events, const trellis_event *event) {
  if (!events) return tl::make_unexpected(event_failure(Cause::unavailable, {}, "the plugin isn't connected yet"));
  if (!event || !TRELLIS_HAS(trellis_event, event, payload) || !is_text(event->contract_id) || !is_text(event->name) ||
      !is_text(event->payload))
    return tl::make_unexpected(event_failure(Cause::invalid, {}, "the event struct is too small or malformed"));
  EventTrace trace;
  if (TRELLIS_HAS(trellis_event, event, traceparent)) trace.traceparent = view(event->traceparent);
  if (TRELLIS_HAS(trellis_event, event, tracestate)) trace.tracestate = view(event->tracestate);
  return events->prepare(view(event->contract_id), view(event->name), view(event->payload), trace);
}

trellis_status publish_now(EventPublishing &events, const PreparedEvent &event, std::uint32_t timeout_ms,
                           trellis_sink published, trellis_error_sink error) {
  const auto result = publish_event_and_wait(events.transport(), event, timeout_of(timeout_ms));
  events.count(event.event, result);
  if (!result) return refused(result.error(), error);
  write(published, result->to_json());
  return TRELLIS_OK;
}

trellis_status prepare(void *self, const trellis_event *event, trellis_sink prepared,
                       trellis_error_sink error) noexcept {
  const auto ready = prepare_of(HostApi::events_of(self), event);
  if (!ready) return refused(ready.error(), error);
  write(prepared, ready->to_json());
  return TRELLIS_OK;
}

trellis_status publish_prepared(void *self, trellis_str prepared, std::uint32_t timeout_ms, trellis_sink published,
                                trellis_error_sink error) noexcept {
  auto *events = HostApi::events_of(self);
  if (!events) return refused(event_failure(Cause::unavailable, {}, "the plugin isn't connected yet"), error);
  if (!is_text(prepared)) return refused(event_failure(Cause::invalid, {}, "the text is malformed"), error);
  const auto event = parse_prepared_event(view(prepared));
  if (!event) return refused(event_failure(Cause::invalid, {}, event.error().text()), error);
  if (!is_publish_subject(event->subject))
    return refused(event_failure(Cause::invalid, event->event, "the subject can't be published to"), error);
  return publish_now(*events, *event, timeout_ms, published, error);
}

trellis_status publish(void *self, const trellis_event *event, trellis_sink published,
                       trellis_error_sink error) noexcept {
  const auto ready = prepare_of(HostApi::events_of(self), event);
  if (!ready) return refused(ready.error(), error);
  return publish_now(*HostApi::events_of(self), *ready, event->timeout_ms, published, error);
}

trellis_status publish_async(void *self, const trellis_event *event, trellis_published_fn done, void *context,
                             trellis_error_sink error) noexcept {
  if (!done) return TRELLIS_E_INVALID;
  const auto ready = prepare_of(HostApi::events_of(self), event);
  if (!ready) return refused(ready.error(), error);
  publish_event(HostApi::events_of(self)->transport(), *ready, timeout_of(event->timeout_ms),
                [done, context, name = ready->event, events = HostApi::events_of(self)](const PublishResult &result) {
                  events->count(name, result);
                  if (result) return done(context, TRELLIS_OK, nullptr);
                  const auto out = error_of(result.error().envelope);
                  done(context, status_of(result.error().cause), &out);
                });
  return TRELLIS_OK;
}

} // namespace

constexpr trellis_events_v1 kEventsExtension{sizeof(trellis_events_v1), 0,        &prepare,
                                             &publish_prepared,         &publish, &publish_async};

} // namespace trellis::host
