// The `trellis_plugin` of an isolated plugin: functions that put their arguments into a frame.
//
// The ABI gives event listeners and health checks no argument that says which of them is meant, so each index has a
// function of its own, made by a template.
#include "abi/host_only.h"
#include "contracts/json_write.h"
#include "isolation/isolated_state.h"

#include <algorithm>
#include <array>
#include <utility>

namespace trellis::isolation {
namespace {

using State = IsolatedPlugin::State;
using std::chrono::milliseconds;

constexpr milliseconds kEndTime{2000}; // from destroy to the end of the process, and for stop at least

State &of(void *self) {
  return *static_cast<State *>(self);
}

milliseconds unix_now() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
}

// Requests, once a process has taken them, are answered by it; while there is none they wait for the next.
void take_rpc(void *self, const trellis_request *request) noexcept {
  auto &state = of(self);
  const Frame frame{FrameKind::rpc,
                    request->call,
                    {static_cast<std::uint64_t>(request->deadline_unix_ms)},
                    {view(request->surface), view(request->input), view(request->caller), view(request->session_key),
                     view(request->request_id), view(request->traceparent), view(request->tracestate)}};
  auto bytes = encode_frame(frame);
  std::unique_lock lock(state.mutex);
  if (state.phase == State::Phase::running && !bytes.empty()) {
    state.calls.insert(request->call);
    const auto session = state.process->session();
    lock.unlock();
    state.process->send_encoded(bytes, session);
    return;
  }
  const auto left = milliseconds(request->deadline_unix_ms) - unix_now();
  if (state.phase == State::Phase::restarting && !bytes.empty() && State::Clock::now() + left > state.restart_at) {
    state.held.push_back({request->call, std::move(bytes)});
    return;
  }
  lock.unlock();
  state.fail_call(request->call, "no process of the plugin runs");
}

void take_feed(void *self, const trellis_feed_request *request) noexcept {
  auto &state = of(self);
  const Frame frame{FrameKind::feed,
                    request->stream,
                    {},
                    {view(request->surface), view(request->input), view(request->caller), view(request->session_key),
                     view(request->request_id), view(request->traceparent), view(request->tracestate)}};
  std::unique_lock lock(state.mutex);
  if (state.phase == State::Phase::running) {
    state.streams.emplace(request->stream, view(request->surface));
    const auto session = state.process->session();
    lock.unlock();
    state.process->send(frame, session);
    return;
  }
  lock.unlock();
  const trellis_error error{
      sizeof(trellis_error), 0, str("UnexpectedError"), str("no process of the plugin runs at the moment"), {}, {}};
  if (state.feeds) state.feeds->fail(state.host->self, request->stream, &error);
}

void cancel_feed(void *self, trellis_stream stream) noexcept {
  auto &state = of(self);
  std::string surface;
  std::uint64_t session = 0;
  {
    const std::lock_guard lock(state.mutex);
    const auto found = state.streams.find(stream);
    if (found == state.streams.end()) return; // it ended with its process
    surface = found->second;
    session = state.process->session();
  }
  state.process->send({FrameKind::feed_cancel, stream, {}, {surface}}, session);
}

template <std::size_t Handler>
trellis_status take_event(void *self, const trellis_event_delivery *event, trellis_error_sink error) noexcept {
  return of(self).ask({FrameKind::event,
                       0,
                       {Handler, event->delivery, static_cast<std::uint64_t>(event->time_unix_ms), event->sequence},
                       {view(event->contract_id), view(event->name), view(event->payload), view(event->subject),
                        view(event->id), view(event->group), view(event->traceparent), view(event->tracestate)}},
                      {}, error);
}

template <std::size_t Check>
trellis_status check_health(void *self, trellis_sink details, trellis_error_sink error) noexcept {
  return of(self).ask({FrameKind::health_check, 0, {Check}, {}}, details, error);
}

trellis_status health_info(void *self, trellis_sink out) noexcept {
  return of(self).ask({FrameKind::health_info, 0, {}, {}}, out, {});
}

template <std::size_t... I>
constexpr std::array<trellis_event_fn, sizeof...(I)> event_functions(std::index_sequence<I...>) {
  return {&take_event<I>...};
}
template <std::size_t... I>
constexpr std::array<decltype(trellis_health_check::check), sizeof...(I)> check_functions(std::index_sequence<I...>) {
  return {&check_health<I>...};
}

// ----------------------------------------------------------------------------------------------------------- lifecycle

trellis_status start(void *self, trellis_error_sink error) noexcept {
  auto &state = of(self);
  state.process->end_at(State::Clock::now() + state.options.settings.start_timeout,
                        "it didn't come back from start in time");
  const auto status = state.ask({FrameKind::start, 0, {}, {}}, {}, error);
  state.process->no_end();
  if (status != TRELLIS_OK) return status;
  const std::lock_guard lock(state.mutex);
  if (state.phase != State::Phase::created) return TRELLIS_E_FAILED;
  state.phase = State::Phase::running;
  return TRELLIS_OK;
}

// False when there is no process with an instance that could be stopped; then there won't be one.
bool begin_stopping(State &state) {
  std::unique_lock lock(state.mutex);
  if (state.phase == State::Phase::restarting) state.phase = State::Phase::ended;
  if (state.phase == State::Phase::ended) {
    lock.unlock();
    state.fail_held("the plugin is being stopped");
    return false;
  }
  state.phase = State::Phase::stopping;
  return true;
}

// A process that doesn't come back by the deadline is ended; one that is being replaced has nothing to stop.
trellis_status stop(void *self, std::int64_t deadline_unix_ms, trellis_error_sink error) noexcept {
  auto &state = of(self);
  if (!begin_stopping(state)) return TRELLIS_OK;
  const auto left = std::max(milliseconds(deadline_unix_ms) - unix_now(), kEndTime);
  state.process->end_at(State::Clock::now() + left, "it didn't come back from stop in time");
  const auto status = state.ask({FrameKind::stop, 0, {static_cast<std::uint64_t>(deadline_unix_ms)}, {}}, {}, error);
  state.process->no_end();
  return status;
}

// As with a plugin in this process, no function of the host runs for it any more when this returns.
void destroy(void *self) noexcept {
  auto &state = of(self);
  if (begin_stopping(state)) {
    state.process->end_at(State::Clock::now() + kEndTime, "it didn't come back from destroy in time");
    state.ask({FrameKind::destroy, 0, {}, {}}, {}, {});
    state.process->wait_for_end();
  } else {
    state.process->finish();
  }
  state.waiting.reset();
}

const void *get_extension(void *self, trellis_str id) noexcept {
  const auto &table = of(self).table;
  // Any pointer will do: the host refuses a plugin that offers this, and never looks inside.
  if (view(id) == kHostOnlyExtensions.front()) return table.offers_host_only ? &table : nullptr;
  return table.has_health && view(id) == TRELLIS_EXT_HEALTH ? &table.health : nullptr;
}

} // namespace

// Waits for the answer; the end of the process is one.
trellis_status IsolatedPlugin::State::ask(Frame frame, trellis_sink output, trellis_error_sink error) {
  Waiter waiter;
  std::unique_lock lock(mutex);
  if (phase == Phase::restarting || phase == Phase::ended) {
    lock.unlock();
    isolation::report(error, "no process of the plugin runs at the moment");
    return TRELLIS_E_UNAVAILABLE;
  }
  frame.id = next_id++;
  waiters.emplace(frame.id, &waiter);
  const auto session = process->session();
  lock.unlock();
  const bool sent = process->send(frame, session);
  lock.lock();
  if (!sent) {
    waiters.erase(frame.id);
    return TRELLIS_E_TOO_LARGE;
  }
  changed.wait(lock, [&] { return waiter.done; });
  lock.unlock();
  return deliver_answer(waiter.answer.frame, output, error);
}

void IsolatedPlugin::State::fail_call(trellis_call call, const std::string &why) const {
  const auto message = "the service's process ended before it answered: " + why;
  const std::string fields = std::string("{\"code\":\"") + kCrashedCode +
                             "\",\"hint\":\"The request may have been carried out in part. Ask again if it may be "
                             "carried out twice.\"}";
  const trellis_error error{sizeof(trellis_error), 0, str("TransportError"), str(message), {}, str(fields)};
  host->fail(host->self, call, &error);
}

Result<void> PluginTable::fill(ReceivedFrame created, IsolatedPlugin::State *self) {
  told = std::move(created);
  const auto &frame = told.frame;
  const auto count = frame.number(0), check_count = frame.number(1);
  const auto too_many = [&](std::string what) {
    return trellis::fail("create_failed", self->options.name, std::move(what), "fewer, or isolation = \"none\"");
  };
  if (count > kMaxFrameTexts || check_count > kMaxFrameTexts || frame.numbers.size() != 4 + 2 * count ||
      frame.texts.size() != 2 + 4 * count + check_count)
    return too_many("what it says about its handlers doesn't fit together");
  program = one_line(utf8_text(frame.text(0).substr(0, 128)));
  version = one_line(utf8_text(frame.text(1).substr(0, 128)));
  offers_host_only = frame.number(3) != 0;
  handlers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto has = frame.number(4 + 2 * i + 1);
    if (has & kHasEvent && i >= kMaxListeners) return too_many("more than 256 handlers, events among the last");
    const auto text = [&](std::size_t which) { return str(frame.text(2 + 4 * i + which)); };
    handlers.push_back({sizeof(trellis_handler), static_cast<std::uint32_t>(frame.number(4 + 2 * i)), text(0), text(1),
                        has & kHasRpc ? &take_rpc : nullptr, has & kHasEvent ? event_function(i) : nullptr, text(2),
                        text(3), has & kHasFeed ? &take_feed : nullptr, has & kHasFeedCancel ? &cancel_feed : nullptr});
    handler_pointers.push_back(has & kNullHandler ? nullptr : &handlers.back());
  }
  if (check_count > kMaxChecks) return too_many("more than 64 health checks");
  checks.reserve(check_count);
  for (std::size_t i = 0; i < check_count; ++i) {
    checks.push_back({sizeof(trellis_health_check), 0, str(frame.text(2 + 4 * count + i)), check_function(i)});
    check_pointers.push_back(&checks.back());
  }
  has_health = check_count > 0 || frame.number(2) != 0;
  health = {sizeof(trellis_health_v1), static_cast<std::uint32_t>(check_count), check_pointers.data(),
            frame.number(2) != 0 ? &health_info : nullptr};
  plugin = {
      sizeof(trellis_plugin), static_cast<std::uint32_t>(count), self, handler_pointers.data(), &start, &stop, &destroy,
      &get_extension};
  return {};
}

trellis_event_fn event_function(std::size_t handler) {
  static constexpr auto kFunctions = event_functions(std::make_index_sequence<kMaxListeners>());
  return handler < kFunctions.size() ? kFunctions[handler] : nullptr;
}

decltype(trellis_health_check::check) check_function(std::size_t check) {
  static constexpr auto kFunctions = check_functions(std::make_index_sequence<kMaxChecks>());
  return check < kFunctions.size() ? kFunctions[check] : nullptr;
}

} // namespace trellis::isolation
