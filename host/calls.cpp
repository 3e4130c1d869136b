#include "calls.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace trellis::host {
namespace {

enum class Phase {
  waiting,   // in the queue
  admitting, // a worker checks it; the plugin doesn't know it yet
  running,   // the plugin has the handle
};

trellis_str str(std::string_view text) { return {text.data(), text.size()}; }

std::int64_t unix_ms(Calls::Clock::time_point when) {
  using namespace std::chrono;
  const auto from_now = duration_cast<milliseconds>(when - Calls::Clock::now());
  return duration_cast<milliseconds>((system_clock::now() + from_now).time_since_epoch()).count();
}

} // namespace

struct Calls::State {
  struct Call {
    std::shared_ptr<const RpcRoute> route;
    MessagePtr message;
    Clock::time_point deadline;
    AdmittedRequest admitted;
    trellis_request request{};
  };

  struct Slot {
    std::uint32_t generation = 1;
    Phase phase = Phase::waiting;
    bool answered = false; // by the runtime: the plugin's answer comes too late
    std::unique_ptr<Call> call;
  };

  State(CallLimits given, ServiceIdentity identity, std::shared_ptr<Validator> check, void *self, OnEvent report)
      : limits(given), service(std::move(identity)), validator(std::move(check)), plugin_self(self),
        on_event(std::move(report)) {}

  const CallLimits limits;
  const ServiceIdentity service;
  const std::shared_ptr<Validator> validator;
  void *const plugin_self;
  const OnEvent on_event;

  mutable std::mutex mutex; // guards everything below
  std::condition_variable work, deadline_changed, progress;
  std::deque<Slot> slots; // a deque: slots stay where they are
  std::vector<std::uint32_t> free;
  std::deque<trellis_call> queue;
  std::deque<std::pair<Clock::time_point, trellis_call>> deadlines; // in order, since all wait equally long
  std::size_t threads = 0, idle = 0;
  bool stopping = false;
  Counts counts;

  static std::uint32_t index_of(trellis_call call) { return static_cast<std::uint32_t>(call & 0xFFFFFFFFU); }
  static trellis_call handle(std::uint32_t index, std::uint32_t generation) {
    return (static_cast<trellis_call>(generation) << 32) | index;
  }

  // nullptr when the handle's request is over.
  Slot *find(trellis_call call) {
    const auto index = index_of(call);
    if (index >= slots.size()) return nullptr;
    Slot &slot = slots[index];
    return slot.call && slot.generation == static_cast<std::uint32_t>(call >> 32) ? &slot : nullptr;
  }

  trellis_call insert(std::unique_ptr<Call> call) {
    if (free.empty()) {
      free.push_back(static_cast<std::uint32_t>(slots.size()));
      slots.emplace_back();
    }
    const auto index = free.back();
    free.pop_back();
    Slot &slot = slots[index];
    slot.phase = Phase::waiting;
    slot.answered = false;
    slot.call = std::move(call);
    return handle(index, slot.generation);
  }

  std::unique_ptr<Call> take(trellis_call call) {
    Slot &slot = slots[index_of(call)];
    ++slot.generation;
    free.push_back(index_of(call));
    progress.notify_all();
    return std::move(slot.call);
  }

  void report(CallEvent::Kind kind, const RpcRoute &route, std::string detail) const {
    on_event({kind, route.method.name, std::move(detail)});
  }

  void reply(const Call &call, const RpcReply &reply) const {
    if (!send_reply(call.route->method, *call.message, reply, call.admitted.trace_id))
      report(CallEvent::Kind::send_failed, *call.route, "the reply could not be sent");
  }

  void run_worker();
  void run_one(trellis_call handle, Call &call);
  void run_deadlines();
  void expire_front(std::unique_lock<std::mutex> &lock);
  std::unique_ptr<Call> take_for_answer(trellis_call handle, bool &over);
};

// Takes the call out for its answer. `over`: the caller was answered already, what is returned is only to be freed.
std::unique_ptr<Calls::State::Call> Calls::State::take_for_answer(trellis_call handle, bool &over) {
  Slot *slot = find(handle);
  over = !slot || slot->phase != Phase::running || slot->answered;
  if (!slot || slot->phase != Phase::running) return nullptr;
  if (slot->answered) {
    --counts.abandoned;
  } else {
    --counts.unanswered;
    ++counts.answered;
  }
  return take(handle);
}

void Calls::State::run_worker() {
  std::unique_lock lock(mutex);
  for (;;) {
    ++idle;
    work.wait(lock, [&] { return stopping || !queue.empty(); });
    --idle;
    if (queue.empty()) break;
    const auto handle = queue.front();
    queue.pop_front();
    --counts.waiting;
    Slot *slot = find(handle);
    if (slot->answered) { // its deadline passed in the queue
      const auto gone = take(handle);
      continue;
    }
    slot->phase = Phase::admitting;
    Call &call = *slot->call;
    ++counts.running;
    lock.unlock();
    run_one(handle, call);
    lock.lock();
    --counts.running;
    progress.notify_all();
  }
  --threads;
  progress.notify_all();
}

// [worker] Steps 1 to 9 of 06 §4.2. `call` is ours until the plugin gets the handle.
void Calls::State::run_one(trellis_call handle, Call &call) {
  auto outcome = admit(call.route->method, *call.message, *validator);
  const auto *refusal = std::get_if<RpcReply>(&outcome);
  if (!refusal) call.admitted = std::move(std::get<AdmittedRequest>(outcome));

  std::unique_lock lock(mutex);
  Slot &slot = *find(handle);
  if (slot.answered || refusal) {
    const bool late = slot.answered;
    const auto done = take(handle);
    if (!late) {
      --counts.unanswered;
      ++counts.answered;
    }
    lock.unlock();
    if (!late) reply(*done, *refusal);
    return;
  }
  slot.phase = Phase::running;
  const auto &request = call.admitted;
  call.request = {sizeof(trellis_request),
                  0,
                  handle,
                  str(call.route->method.name),
                  str(request.input),
                  str(request.caller->caller),
                  str(request.session_key),
                  str(request.request_id),
                  str(request.traceparent),
                  str(request.tracestate),
                  unix_ms(call.deadline)};
  lock.unlock();
  call.route->handler(plugin_self, &call.request); // answers now, later, or never; `call` may be gone after this
}

void Calls::State::run_deadlines() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    while (!deadlines.empty() && !find(deadlines.front().second))
      deadlines.pop_front();
    if (deadlines.empty())
      deadline_changed.wait(lock);
    else if (Clock::now() < deadlines.front().first)
      deadline_changed.wait_until(lock, deadlines.front().first);
    else
      expire_front(lock);
  }
}

void Calls::State::expire_front(std::unique_lock<std::mutex> &lock) {
  const auto handle = deadlines.front().second;
  deadlines.pop_front();
  Slot &slot = *find(handle);
  if (slot.answered) return;
  slot.answered = true;
  --counts.unanswered;
  ++counts.expired;
  if (slot.phase == Phase::running) ++counts.abandoned;
  // The message is ours to answer: whoever finds `answered` set leaves it alone, and frees it only under the lock.
  const auto route = slot.call->route;
  const std::string trace_id = slot.phase == Phase::running ? slot.call->admitted.trace_id : std::string();
  const bool was_waiting = slot.phase == Phase::waiting;
  const Call &call = *slot.call;
  const auto text = "no answer within " + std::to_string(limits.deadline.count()) + " ms" +
                    (was_waiting ? " (it waited for a worker all the time)" : "");
  if (!send_reply(route->method, *call.message, runtime_error_reply(route->method, kDeadlineCode, text, trace_id),
                  trace_id))
    report(CallEvent::Kind::send_failed, *route, "the reply could not be sent");
  progress.notify_all();
  lock.unlock();
  report(CallEvent::Kind::deadline, *route, text);
  lock.lock();
}

Calls::Calls(CallLimits limits, ServiceIdentity service, std::shared_ptr<Validator> validator, void *plugin_self,
             OnEvent on_event)
    : state_(std::make_shared<State>(limits, std::move(service), std::move(validator), plugin_self,
                                     std::move(on_event))) {
  const std::lock_guard lock(state_->mutex);
  ++state_->threads;
  std::thread([state = state_] {
    state->run_deadlines();
    const std::lock_guard ended(state->mutex);
    --state->threads;
    state->progress.notify_all();
  }).detach();
}

Calls::~Calls() = default;

void Calls::arrive(std::shared_ptr<const RpcRoute> route, MessagePtr message) {
  auto &state = *state_;
  const auto &limits = state.limits;
  std::unique_lock lock(state.mutex);
  const bool full = state.counts.waiting >= limits.queue ||
                    state.counts.unanswered >= limits.queue + limits.max_concurrency ||
                    state.counts.abandoned >= limits.max_abandoned;
  if (full || state.stopping) {
    const bool stopping = state.stopping;
    ++state.counts.overloaded;
    lock.unlock();
    const auto reply = stopping ? runtime_error_reply(route->method, kStoppingCode, "the service is stopping", {})
                                : runtime_error_reply(route->method, kOverloadedCode, "the service has too much to do", {});
    static_cast<void>(send_reply(route->method, *message, reply, {}));
    if (!stopping) state.report(CallEvent::Kind::overloaded, *route, {});
    return;
  }
  const auto deadline = Clock::now() + limits.deadline;
  const auto handle = state.insert(
      std::make_unique<State::Call>(State::Call{std::move(route), std::move(message), deadline, {}, {}}));
  ++state.counts.unanswered;
  ++state.counts.waiting;
  state.queue.push_back(handle);
  while (!state.deadlines.empty() && !state.find(state.deadlines.front().second))
    state.deadlines.pop_front();
  const bool first_deadline = state.deadlines.empty();
  state.deadlines.emplace_back(deadline, handle);
  const bool start_worker = state.idle == 0 && state.threads - 1 < limits.max_concurrency;
  if (start_worker) ++state.threads;
  lock.unlock();
  if (first_deadline) state.deadline_changed.notify_one();
  if (start_worker)
    std::thread([owned = state_] { owned->run_worker(); }).detach();
  else
    state.work.notify_one();
}

trellis_status Calls::complete(trellis_call handle, std::string_view output) {
  bool over = false;
  std::unique_lock lock(state_->mutex);
  const auto call = state_->take_for_answer(handle, over);
  lock.unlock();
  if (over) return TRELLIS_E_GONE;
  const auto reply = success_reply(call->route->method, output, call->admitted.trace_id);
  state_->reply(*call, reply);
  if (!reply.is_error) return TRELLIS_OK;
  state_->report(CallEvent::Kind::bad_output, *call->route, "the output breaks the contract's schema: " + reply.payload);
  return TRELLIS_E_INVALID;
}

trellis_status Calls::fail(trellis_call handle, const HandlerError &error) {
  bool over = false;
  std::unique_lock lock(state_->mutex);
  const auto call = state_->take_for_answer(handle, over);
  lock.unlock();
  if (over) return TRELLIS_E_GONE;
  const auto reply = error_reply(state_->service, call->route->method, call->admitted, error);
  state_->reply(*call, reply.reply);
  if (reply.well_formed) return TRELLIS_OK;
  state_->report(CallEvent::Kind::bad_error, *call->route, reply.reply.payload);
  return TRELLIS_E_INVALID;
}

trellis_status Calls::release(trellis_call handle) {
  bool over = false;
  std::unique_lock lock(state_->mutex);
  const auto call = state_->take_for_answer(handle, over);
  lock.unlock();
  if (over) return TRELLIS_E_GONE;
  const HandlerError gave_up{{}, "the service gave the request up without an answer", {}, {}};
  state_->reply(*call, error_reply(state_->service, call->route->method, call->admitted, gave_up).reply);
  state_->report(CallEvent::Kind::released, *call->route, "released without an answer");
  return TRELLIS_OK;
}

trellis_status Calls::state(trellis_call handle) const {
  const std::lock_guard lock(state_->mutex);
  const auto *slot = state_->find(handle);
  return slot && slot->phase == Phase::running && !slot->answered ? TRELLIS_OK : TRELLIS_E_GONE;
}

bool Calls::wait_idle(Clock::time_point until) {
  std::unique_lock lock(state_->mutex);
  return state_->progress.wait_until(lock, until, [&] { return state_->counts.unanswered == 0; });
}

bool Calls::stop(Clock::time_point until) {
  auto &state = *state_;
  std::unique_lock lock(state.mutex);
  state.stopping = true;
  std::vector<trellis_call> left;
  for (std::uint32_t i = 0; i < state.slots.size(); ++i)
    if (state.slots[i].call && !state.slots[i].answered) left.push_back(State::handle(i, state.slots[i].generation));
  for (const auto handle : left) {
    auto &slot = *state.find(handle);
    slot.answered = true;
    --state.counts.unanswered;
    if (slot.phase == Phase::running) ++state.counts.abandoned;
    const auto &method = slot.call->route->method;
    static_cast<void>(send_reply(method, *slot.call->message,
                                 runtime_error_reply(method, kStoppingCode, "the service stopped", {}), {}));
  }
  state.work.notify_all();
  state.deadline_changed.notify_all();
  state.progress.wait_until(lock, until, [&] { return state.threads == 0; });
  const bool clean = state.counts.running == 0;
  lock.unlock();
  if (!clean) state.on_event({CallEvent::Kind::stuck_worker, {}, "a handler didn't return in time"});
  return clean;
}

Calls::Counts Calls::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

} // namespace trellis::host
