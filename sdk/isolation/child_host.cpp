#include "isolation/child_host.h"

#include "isolation/abi_frames.h"
#include <bit>

namespace trellis::isolation {
namespace {

using Numbers = std::vector<std::uint64_t>;

void refuse(trellis_error_sink error, std::string_view why) {
  report(error, why);
}

bool add_headers(Frame &frame, const trellis_header *headers, std::size_t count) {
  if (count > kMaxFrameTexts / 4 || (count > 0 && !headers)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_text(headers[i].name) || !is_text(headers[i].value)) return false;
    frame.texts.push_back(view(headers[i].name));
    frame.texts.push_back(view(headers[i].value));
  }
  return true;
}

bool read_call(Frame &frame, const trellis_rpc_call *call) {
  if (!call || !TRELLIS_HAS(trellis_rpc_call, call, input) || !is_text(call->contract_id) || !is_text(call->name) ||
      !is_text(call->input))
    return false;
  frame.numbers = {call->timeout_ms};
  frame.texts = {view(call->contract_id), view(call->name), view(call->input)};
  frame.texts.push_back(TRELLIS_HAS(trellis_rpc_call, call, traceparent) ? view(call->traceparent)
                                                                         : std::string_view{});
  frame.texts.push_back(TRELLIS_HAS(trellis_rpc_call, call, tracestate) ? view(call->tracestate) : std::string_view{});
  return true;
}

bool read_event(Frame &frame, const trellis_event *event) {
  if (!event || !TRELLIS_HAS(trellis_event, event, payload) || !is_text(event->contract_id) || !is_text(event->name) ||
      !is_text(event->payload))
    return false;
  frame.numbers = {event->timeout_ms};
  frame.texts = {view(event->contract_id), view(event->name), view(event->payload)};
  frame.texts.push_back(TRELLIS_HAS(trellis_event, event, traceparent) ? view(event->traceparent) : std::string_view{});
  frame.texts.push_back(TRELLIS_HAS(trellis_event, event, tracestate) ? view(event->tracestate) : std::string_view{});
  return true;
}

constexpr char kMalformed[] = "the struct is too small or malformed";

} // namespace

// Nothing throws across: running out of memory ends the process.
struct ChildHost::Functions {
  static ChildHost &of(void *self) { return *static_cast<ChildHost *>(self); }

  static trellis_status ask(void *self, Frame frame, trellis_sink output, trellis_error_sink error) {
    const auto answer = of(self).link_.ask(std::move(frame));
    return deliver_answer(answer.frame, output, error);
  }

  // `run` gets the answer on the thread for callbacks, once. TRELLIS_E_UNAVAILABLE: it won't.
  template <class Run>
  static trellis_status ask_later(void *self, Frame frame, Run run) {
    struct End { // also when the callback ends its thread
      ChildHost &host;
      ~End() { host.end_callback(); }
    };
    auto &host = of(self);
    if (!host.begin_callback()) return TRELLIS_E_UNAVAILABLE;
    host.link_.ask(std::move(frame), [&host, run](ReceivedFrame answer) {
      host.callbacks_.post([&host, run, kept = std::make_shared<ReceivedFrame>(std::move(answer))] {
        const End end{host};
        run(kept->frame, deliver_answer(kept->frame, {}, {}));
      });
    });
    return TRELLIS_OK;
  }

  static const void *get_extension(void *, trellis_str id) noexcept {
    static constexpr trellis_transport_v1 kTransport{sizeof(trellis_transport_v1), 0, &publish, &request};
    static constexpr trellis_events_v1 kEvents{
        sizeof(trellis_events_v1), 0, &event_prepare, &event_publish_prepared, &event_publish, &event_publish_async};
    static constexpr trellis_feeds_v1 kFeeds{
        sizeof(trellis_feeds_v1), 0, &feed_emit, &feed_fail, &feed_close, &feed_state};
    static constexpr trellis_metrics_v1 kMetrics{sizeof(trellis_metrics_v1), 0, &metric};
    if (view(id) == TRELLIS_EXT_TRANSPORT) return &kTransport;
    if (view(id) == TRELLIS_EXT_EVENTS) return &kEvents;
    if (view(id) == TRELLIS_EXT_FEEDS) return &kFeeds;
    if (view(id) == TRELLIS_EXT_METRICS) return &kMetrics;
    return nullptr;
  }

  static void log(void *self, std::int32_t level, trellis_str message, trellis_str fields) noexcept {
    of(self).link_.send({FrameKind::log, 0, {static_cast<std::uint32_t>(level)}, {view(message), view(fields)}});
  }
  static trellis_status config(void *self, trellis_sink out) noexcept {
    write(out, of(self).config_json_.reveal());
    return TRELLIS_OK;
  }
  static trellis_status identity(void *self, trellis_sink out) noexcept {
    write(out, of(self).identity_json_);
    return TRELLIS_OK;
  }

  static trellis_status complete(void *self, trellis_call call, trellis_str output) noexcept {
    const auto status = of(self).ask_about_call(FrameKind::complete, call, {{}, 0, {}, {view(output)}});
    of(self).forget_call(call);
    return status;
  }
  static trellis_status fail(void *self, trellis_call call, const trellis_error *error) noexcept {
    Frame frame;
    add_error(frame, error);
    const auto status = of(self).ask_about_call(FrameKind::fail, call, std::move(frame));
    of(self).forget_call(call);
    return status;
  }
  static trellis_status release(void *self, trellis_call call) noexcept { return of(self).release(call); }
  static trellis_status call_state(void *self, trellis_call call) noexcept {
    return of(self).ask_about_call(FrameKind::call_state, call, {});
  }

  static trellis_status call_rpc(void *self, const trellis_rpc_call *call, trellis_sink output,
                                 trellis_error_sink error) noexcept {
    Frame frame{FrameKind::call_rpc, 0, {}, {}};
    if (!read_call(frame, call)) {
      refuse(error, kMalformed);
      return TRELLIS_E_INVALID;
    }
    return ask(self, std::move(frame), output, error);
  }

  // A refusal comes with the answer, not from this function: it would take a round trip to know.
  static trellis_status call_rpc_async(void *self, const trellis_rpc_call *call, trellis_rpc_reply_fn reply,
                                       void *context) noexcept {
    Frame frame{FrameKind::call_rpc, 0, {}, {}};
    if (!reply || !read_call(frame, call)) return TRELLIS_E_INVALID;
    return ask_later(self, std::move(frame), [reply, context](const Frame &answer, trellis_status status) {
      const auto error = error_at(answer, 1);
      if (status == TRELLIS_OK) return reply(context, status, str(answer.text(0)), nullptr);
      reply(context, status, {}, &error);
    });
  }

  static trellis_status publish(void *self, trellis_str subject, trellis_str payload, const trellis_header *headers,
                                std::size_t count) noexcept {
    Frame frame{FrameKind::publish, 0, {count}, {view(subject), view(payload)}};
    if (!is_text(subject) || !is_text(payload) || !add_headers(frame, headers, count)) return TRELLIS_E_INVALID;
    return ask(self, std::move(frame), {}, {});
  }
  static trellis_status request(void *self, trellis_str subject, trellis_str payload, const trellis_header *headers,
                                std::size_t count, std::uint32_t timeout_ms, trellis_sink reply,
                                trellis_error_sink error) noexcept {
    Frame frame{FrameKind::request, 0, {count, timeout_ms}, {view(subject), view(payload)}};
    if (!is_text(subject) || !is_text(payload) || !add_headers(frame, headers, count)) return TRELLIS_E_INVALID;
    return ask(self, std::move(frame), reply, error);
  }

  static trellis_status ask_event(FrameKind kind, void *self, const trellis_event *event, trellis_sink out,
                                  trellis_error_sink error) {
    Frame frame{kind, 0, {}, {}};
    if (!read_event(frame, event)) {
      refuse(error, kMalformed);
      return TRELLIS_E_INVALID;
    }
    return ask(self, std::move(frame), out, error);
  }
  static trellis_status event_prepare(void *self, const trellis_event *event, trellis_sink prepared,
                                      trellis_error_sink error) noexcept {
    return ask_event(FrameKind::event_prepare, self, event, prepared, error);
  }
  static trellis_status event_publish(void *self, const trellis_event *event, trellis_sink published,
                                      trellis_error_sink error) noexcept {
    return ask_event(FrameKind::event_publish, self, event, published, error);
  }
  static trellis_status event_publish_prepared(void *self, trellis_str prepared, std::uint32_t timeout_ms,
                                               trellis_sink published, trellis_error_sink error) noexcept {
    if (!is_text(prepared)) return TRELLIS_E_INVALID;
    return ask(self, {FrameKind::event_publish_prepared, 0, {timeout_ms}, {view(prepared)}}, published, error);
  }
  // What is wrong with the event comes with the answer, as with call_rpc_async.
  static trellis_status event_publish_async(void *self, const trellis_event *event, trellis_published_fn done,
                                            void *context, trellis_error_sink error) noexcept {
    Frame frame{FrameKind::event_publish_async, 0, {}, {}};
    if (!done || !read_event(frame, event)) {
      refuse(error, kMalformed);
      return TRELLIS_E_INVALID;
    }
    const auto status = ask_later(self, std::move(frame), [done, context](const Frame &answer, trellis_status outcome) {
      const auto problem = error_at(answer, 1);
      done(context, outcome, outcome == TRELLIS_OK ? nullptr : &problem);
    });
    if (status != TRELLIS_OK) refuse(error, "the plugin is being destroyed");
    return status;
  }

  static trellis_status feed_emit(void *self, trellis_stream stream, trellis_str event,
                                  trellis_error_sink error) noexcept {
    if (!is_text(event)) return TRELLIS_E_INVALID;
    return of(self).ask_about_stream(FrameKind::feed_emit, stream, {{}, 0, {}, {view(event)}}, error);
  }
  static trellis_status feed_fail(void *self, trellis_stream stream, const trellis_error *error) noexcept {
    Frame frame;
    add_error(frame, error);
    const auto status = of(self).ask_about_stream(FrameKind::feed_fail, stream, std::move(frame), {});
    of(self).forget_stream(stream);
    return status;
  }
  static trellis_status feed_close(void *self, trellis_stream stream) noexcept {
    const auto status = of(self).ask_about_stream(FrameKind::feed_close, stream, {}, {});
    of(self).forget_stream(stream);
    return status;
  }
  static trellis_status feed_state(void *self, trellis_stream stream) noexcept {
    return of(self).ask_about_stream(FrameKind::feed_state, stream, {}, {});
  }

  static trellis_status metric(void *self, const trellis_metric *metric, double value, const trellis_header *attributes,
                               std::size_t count) noexcept {
    if (!metric || !TRELLIS_HAS(trellis_metric, metric, name) || !is_text(metric->name)) return TRELLIS_E_INVALID;
    Frame frame{FrameKind::metric, 0, {metric->kind, std::bit_cast<std::uint64_t>(value), count}, {view(metric->name)}};
    frame.texts.push_back(TRELLIS_HAS(trellis_metric, metric, unit) ? view(metric->unit) : std::string_view{});
    frame.texts.push_back(TRELLIS_HAS(trellis_metric, metric, description) ? view(metric->description)
                                                                           : std::string_view{});
    if (!add_headers(frame, attributes, count)) return TRELLIS_E_INVALID;
    return ask(self, std::move(frame), {}, {});
  }
};

ChildHost::ChildHost(HostLink &link, TaskThreads &callbacks, SecretText config_json, std::string identity_json)
    : link_(link), callbacks_(callbacks), config_json_(std::move(config_json)),
      identity_json_(std::move(identity_json)) {
  table_.size = sizeof(trellis_host);
  table_.abi_minor = TRELLIS_ABI_MINOR;
  table_.self = this;
  table_.get_extension = &Functions::get_extension;
  table_.log = &Functions::log;
  table_.config = &Functions::config;
  table_.identity = &Functions::identity;
  table_.complete = &Functions::complete;
  table_.fail = &Functions::fail;
  table_.release = &Functions::release;
  table_.call_state = &Functions::call_state;
  table_.call_rpc = &Functions::call_rpc;
  table_.call_rpc_async = &Functions::call_rpc_async;
}

trellis_status ChildHost::ask_about_call(FrameKind kind, trellis_call call, Frame frame) {
  frame.kind = kind;
  frame.numbers = {call};
  return deliver_answer(link_.ask(std::move(frame)).frame, {}, {});
}

trellis_status ChildHost::ask_about_stream(FrameKind kind, trellis_stream stream, Frame frame,
                                           trellis_error_sink error) {
  frame.kind = kind;
  frame.numbers = {stream};
  return deliver_answer(link_.ask(std::move(frame)).frame, {}, error);
}

trellis_status ChildHost::release(trellis_call call) {
  const auto status = ask_about_call(FrameKind::release, call, {});
  forget_call(call);
  return status;
}

bool ChildHost::begin_callback() {
  const std::lock_guard lock(mutex_);
  if (!finishing_) ++callbacks_due_;
  return !finishing_;
}
void ChildHost::end_callback() {
  const std::lock_guard lock(mutex_);
  --callbacks_due_;
  callback_ended_.notify_all();
}
// The host answers all of them before it asks for destroy, and ends the process when a callback hangs.
void ChildHost::finish_callbacks() {
  std::unique_lock lock(mutex_);
  finishing_ = true;
  callback_ended_.wait(lock, [this] { return callbacks_due_ == 0; });
}

void ChildHost::hold_call(trellis_call call, std::shared_ptr<void> memory) {
  const std::lock_guard lock(mutex_);
  calls_[call] = std::move(memory);
}
void ChildHost::hold_stream(trellis_stream stream, std::shared_ptr<void> memory) {
  const std::lock_guard lock(mutex_);
  streams_[stream] = std::move(memory);
}
void ChildHost::forget_call(trellis_call call) {
  const std::lock_guard lock(mutex_);
  calls_.erase(call);
}
void ChildHost::forget_stream(trellis_stream stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

} // namespace trellis::isolation
