// Publishing events in C++, over the extension "trellis.events/1".
//
//   call.publish<acme::orders::events::OrderPlaced>({.order_id = "o1", .amount = 3});   // in a handler, in its trace
//   service.publish<Placed>(order);                                                     // elsewhere
//   service.publish({"acme.orders@v1", "Order.Placed"}, R"({"orderId":"o1","amount":3})");
//
// An event's type is a generated descriptor (docs/generate.md), or a struct of yours with kContract, kName and Payload.
// The payload's `header` is made by the host, whatever is in it. What can't be published throws PublishFailed.
#pragma once

#include "trellis/codec.h"
#include "trellis/plugin.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// Which event. The texts are constants of generated code, or of yours.
struct EventName {
  std::string_view contract_id;
  std::string_view name;
};

// Why an event is not in the stream.
struct PublishFailure {
  trellis_status status = TRELLIS_E_FAILED; // TRELLIS_E_*
  std::string type = "UnexpectedError";
  std::string message = {};
  std::string context = "{}"; // JSON object: the cause is its causeMessage

  std::string text() const { return message + " (status " + std::to_string(status) + ", " + context + ")"; }
};

// In a handler it becomes an UnexpectedError for the caller.
class PublishFailed : public std::runtime_error {
public:
  explicit PublishFailed(PublishFailure failure) : std::runtime_error(failure.text()), failure_(std::move(failure)) {}
  const PublishFailure &failure() const { return failure_; }

private:
  PublishFailure failure_;
};

// [thread-safe] A base of Service, Call and Event; all of them publish, the last two in the trace of what they handle.
class EventPublisher {
public:
  // `failure`: nullptr when the stream has it. Runs exactly once, on any thread of the host; quick, without throwing.
  using OnPublished = std::function<void(const PublishFailure *failure)>;

  // [may block] Returns when the stream has it: JSON {id, subject, stream, sequence, duplicate}.
  std::string publish(const EventName &event, std::string_view payload, std::chrono::milliseconds timeout = {}) {
    const auto given = describe(event, payload, timeout);
    std::string published;
    Report report;
    const auto status = table().publish(events_host_->self, &given, collect(published), report.sink());
    if (status != TRELLIS_OK) throw PublishFailed(report.failure(status));
    return published;
  }
  template <class E>
  std::string publish(const typename E::Payload &payload, std::chrono::milliseconds timeout = {}) {
    return publish({E::kContract, E::kName}, to_json(payload), timeout);
  }

  // Returns at once. Throws PublishFailed when the event can't even be sent; `done` isn't called then.
  void publish_async(const EventName &event, std::string_view payload, OnPublished done,
                     std::chrono::milliseconds timeout = {}) {
    const auto given = describe(event, payload, timeout);
    auto waiting = std::make_unique<OnPublished>(std::move(done));
    Report report;
    const auto status =
        table().publish_async(events_host_->self, &given, &EventPublisher::published, waiting.get(), report.sink());
    if (status != TRELLIS_OK) throw PublishFailed(report.failure(status));
    static_cast<void>(waiting.release()); // published() has it
  }
  template <class E>
  void publish_async(const typename E::Payload &payload, OnPublished done, std::chrono::milliseconds timeout = {}) {
    publish_async({E::kContract, E::kName}, to_json(payload), std::move(done), timeout);
  }

  // Makes the event without sending it: JSON, for an outbox (trellis/outbox.h).
  std::string prepare(const EventName &event, std::string_view payload) {
    const auto given = describe(event, payload, {});
    std::string prepared;
    Report report;
    const auto status = table().prepare(events_host_->self, &given, collect(prepared), report.sink());
    if (status != TRELLIS_OK) throw PublishFailed(report.failure(status));
    return prepared;
  }
  template <class E>
  std::string prepare(const typename E::Payload &payload) {
    return prepare({E::kContract, E::kName}, to_json(payload));
  }

  // [may block] Publishes what prepare() made, any number of times: the stream keeps one.
  std::string publish_prepared(std::string_view prepared, std::chrono::milliseconds timeout = {}) {
    std::string published;
    Report report;
    const auto status = table().publish_prepared(events_host_->self, text_of(prepared), milliseconds(timeout),
                                                 collect(published), report.sink());
    if (status != TRELLIS_OK) throw PublishFailed(report.failure(status));
    return published;
  }

protected:
  EventPublisher(const trellis_host *host, trellis_str traceparent, trellis_str tracestate)
      : events_host_(host), events_traceparent_(traceparent), events_tracestate_(tracestate) {}
  ~EventPublisher() = default;

private:
  static trellis_str text_of(std::string_view text) { return {text.data(), text.size()}; }
  static std::string_view view_of(trellis_str text) {
    return text.size == 0 ? std::string_view{} : std::string_view{text.data, text.size};
  }
  static std::uint32_t milliseconds(std::chrono::milliseconds timeout) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(timeout.count(), 0, UINT32_MAX));
  }
  static trellis_sink collect(std::string &into) {
    return {&into, [](void *text, trellis_str piece) { *static_cast<std::string *>(text) += view_of(piece); }};
  }

  static void keep(PublishFailure &failure, const trellis_error &error) {
    failure.type = view_of(error.type);
    failure.message = view_of(error.message);
    if (error.context.size > 0) failure.context = view_of(error.context);
  }

  // Collects what the host says about a failure.
  class Report {
  public:
    trellis_error_sink sink() {
      return {&failure_,
              [](void *kept, const trellis_error *error) { keep(*static_cast<PublishFailure *>(kept), *error); }};
    }
    PublishFailure failure(trellis_status status) {
      failure_.status = status;
      if (failure_.message.empty()) failure_.message = "the host refused the event";
      return std::move(failure_);
    }

  private:
    PublishFailure failure_;
  };

  trellis_event describe(const EventName &event, std::string_view payload, std::chrono::milliseconds timeout) const {
    return {sizeof(trellis_event), milliseconds(timeout), text_of(event.contract_id), text_of(event.name),
            text_of(payload),      events_traceparent_,   events_tracestate_};
  }

  const trellis_events_v1 &table() const {
    const auto *found = static_cast<const trellis_events_v1 *>(
        events_host_->get_extension(events_host_->self, text_of(TRELLIS_EXT_EVENTS)));
    if (!found) throw PublishFailed({TRELLIS_E_UNSUPPORTED, "UnexpectedError", "this host publishes no events", "{}"});
    return *found;
  }

  static void published(void *context, trellis_status status, const trellis_error *error) noexcept {
    const std::unique_ptr<OnPublished> done(static_cast<OnPublished *>(context));
    if (status == TRELLIS_OK) return (*done)(nullptr);
    PublishFailure failure;
    failure.status = status;
    if (error) keep(failure, *error);
    (*done)(&failure);
  }

  const trellis_host *events_host_;
  trellis_str events_traceparent_, events_tracestate_;
};

// For OutboxDispatcher (trellis/outbox.h). `publisher` outlives the function.
inline std::function<std::optional<std::string>(std::string_view)> publish_with(EventPublisher &publisher) {
  return [&publisher](std::string_view prepared) -> std::optional<std::string> {
    try {
      publisher.publish_prepared(prepared);
      return std::nullopt;
    } catch (const std::exception &problem) {
      return problem.what();
    }
  };
}

} // namespace trellis
