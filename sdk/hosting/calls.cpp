#include "hosting/calls.h"

#include "hosting/workers.h"
#include "wire/names.h"
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace trellis::host {
namespace {

enum class Phase {
  waiting,   // in the queue
  admitting, // a worker checks it; the plugin doesn't know it yet
  running,   // the plugin has the handle
};

// A handle is a slot's index below its generation. With 44 bits a slot that serves 50,000 calls a second repeats its
// first generation after eleven years.
constexpr int kIndexBits = 20;
constexpr std::size_t kMaxSlots = std::size_t{1} << kIndexBits;

std::size_t index_of(trellis_call call) {
  return static_cast<std::size_t>(call & (kMaxSlots - 1));
}
std::uint64_t generation_of(trellis_call call) {
  return call >> kIndexBits;
}
trellis_call make_handle(std::size_t index, std::uint64_t generation) {
  return generation << kIndexBits | index;
}

trellis_str str(std::string_view text) {
  return {text.data(), text.size()};
}

std::int64_t unix_ms(Calls::Clock::time_point when) {
  using namespace std::chrono;
  const auto from_now = duration_cast<milliseconds>(when - Calls::Clock::now());
  return duration_cast<milliseconds>((system_clock::now() + from_now).time_since_epoch()).count();
}

} // namespace

struct Calls::State {
  // Shared, so that the runtime can answer for the plugin while the plugin lets go of it.
  struct Call {
    std::shared_ptr<const RpcRoute> route;
    MessagePtr message;
    std::string trace_id; // read at arrival: a message's headers are for one thread at a time
    Clock::time_point deadline;
    AdmittedRequest admitted;
    trellis_request request{};
  };
  using CallPtr = std::shared_ptr<Call>;

  struct Slot {
    std::uint64_t generation = 1;
    Phase phase = Phase::waiting;
    bool answered = false; // by the runtime: the plugin's answer comes too late
    CallPtr call;
  };

  State(CallLimits given, ServiceIdentity identity, std::shared_ptr<Validator> check, void *self, Workers &threads,
        OnEvent report)
      : limits(given), service(std::move(identity)), validator(std::move(check)), plugin_self(self), workers(threads),
        on_event(std::move(report)) {}

  const CallLimits limits;
  const ServiceIdentity service;
  const std::shared_ptr<Validator> validator;
  void *const plugin_self;
  Workers &workers;
  const OnEvent on_event;

  mutable std::mutex mutex; // guards everything below
  std::condition_variable deadline_changed, progress;
  std::deque<Slot> slots; // a deque: slots stay where they are
  std::vector<std::size_t> free;
  std::deque<std::pair<Clock::time_point, trellis_call>> deadlines; // in order, since all wait equally long
  std::thread deadline_thread;
  bool deadline_thread_rests = false; // it knows of no deadline: tell it about the next one
  bool stopping = false;
  Counts counts;

  // The table. With the lock.
  Slot *find(trellis_call call); // nullptr when the handle's request is over
  trellis_call insert(CallPtr call);
  CallPtr take(trellis_call call);

  // The threads.
  void run_task(trellis_call handle);
  void run_one(trellis_call handle, Call &call);
  void run_deadlines();
  void forget_met_deadlines();
  void expire_front(std::unique_lock<std::mutex> &lock);

  // Answers. Without the lock.
  void report(CallEvent::Kind kind, const Call &call, std::string detail, std::string request_id = {}) const;
  Sent send(const Call &call, const RpcReply &reply) const;
  Sent answer(const Call &call, const RpcReply &reply);
  void refuse(const Call &call, bool because_stopping);
  void give_back(trellis_call handle);
  CallPtr take_for_answer(trellis_call handle);
  bool is_full() const;
};

Calls::State::Slot *Calls::State::find(trellis_call call) {
  const auto index = index_of(call);
  if (index >= slots.size()) return nullptr;
  Slot &slot = slots[index];
  return slot.call && slot.generation == generation_of(call) ? &slot : nullptr;
}

trellis_call Calls::State::insert(CallPtr call) {
  if (free.empty()) {
    free.push_back(slots.size());
    slots.emplace_back();
  }
  const auto index = free.back();
  free.pop_back();
  Slot &slot = slots[index];
  slot.phase = Phase::waiting;
  slot.answered = false;
  slot.call = std::move(call);
  return make_handle(index, slot.generation);
}

Calls::State::CallPtr Calls::State::take(trellis_call call) {
  Slot &slot = slots[index_of(call)];
  ++slot.generation;
  free.push_back(index_of(call));
  return std::exchange(slot.call, nullptr);
}

void Calls::State::report(CallEvent::Kind kind, const Call &call, std::string detail, std::string request_id) const {
  on_event({kind, call.route->method.name, std::move(detail), std::move(request_id), call.trace_id});
}

Sent Calls::State::send(const Call &call, const RpcReply &reply) const {
  auto *const metrics = call.route->metrics.get();
  if (metrics) metrics->count(reply, Clock::now() - (call.deadline - limits.deadline));
  const auto sent = send_reply(call.route->method, *call.message, reply, call.trace_id);
  if (sent == Sent::whole) return sent;
  if (metrics) metrics->count_unsent();
  report(CallEvent::Kind::send_failed, call,
         "a reply of " + std::to_string(reply.payload.size()) + " bytes; the caller got " +
             (sent == Sent::as_error ? "an error instead" : "nothing"));
  return sent;
}

// The call counts as unanswered until its reply is on its way: who waits for idleness closes the connection next.
Sent Calls::State::answer(const Call &call, const RpcReply &reply) {
  const auto sent = send(call, reply);
  const std::lock_guard lock(mutex);
  --counts.unanswered;
  ++counts.answered;
  progress.notify_all();
  return sent;
}

void Calls::State::refuse(const Call &call, bool because_stopping) {
  const auto &method = call.route->method;
  send(call, because_stopping
                 ? runtime_error_reply(method, kStoppingCode, "the service is stopping", call.trace_id)
                 : runtime_error_reply(method, kOverloadedCode, "the service has too much to do", call.trace_id));
  if (!because_stopping) report(CallEvent::Kind::overloaded, call, {});
}

// The call, if the plugin may still answer it; nullptr when it is over, after freeing what the plugin held of it.
Calls::State::CallPtr Calls::State::take_for_answer(trellis_call handle) {
  CallPtr call; // freed after the lock
  const std::lock_guard lock(mutex);
  const Slot *slot = find(handle);
  if (!slot || slot->phase != Phase::running) return nullptr;
  const bool too_late = slot->answered;
  call = take(handle);
  if (!too_late) return call;
  --counts.abandoned;
  return nullptr;
}

bool Calls::State::is_full() const {
  return counts.waiting >= limits.queue || counts.unanswered >= limits.queue + limits.max_concurrency ||
         counts.abandoned >= limits.max_abandoned || (free.empty() && slots.size() == kMaxSlots);
}

// [worker] A handler that ends its thread (pthread_exit in a plugin) unwinds through here, and no longer runs.
void Calls::State::run_task(trellis_call handle) {
  std::unique_lock lock(mutex);
  --counts.waiting;
  Slot &slot = *find(handle);
  if (slot.answered) { // its deadline passed in the queue
    take(handle);
    return;
  }
  slot.phase = Phase::admitting;
  Call &call = *slot.call;
  struct Finish {
    State &state;
    std::unique_lock<std::mutex> &lock;
    ~Finish() {
      lock.lock();
      --state.counts.running;
      if (state.stopping) state.progress.notify_all();
    }
  };
  ++counts.running;
  lock.unlock();
  const Finish finish{*this, lock};
  run_one(handle, call);
}

// [worker] Steps 1 to 9 of 06 §4.2. `call` is ours until the plugin gets the handle.
void Calls::State::run_one(trellis_call handle, Call &call) {
  auto outcome = admit(call.route->method, *call.message, *validator);
  const auto *refusal = std::get_if<RpcReply>(&outcome);
  if (!refusal) call.admitted = std::move(std::get<AdmittedRequest>(outcome));

  std::unique_lock lock(mutex);
  Slot &slot = *find(handle);
  if (slot.answered || refusal) {
    const bool too_late = slot.answered;
    const auto done = take(handle);
    lock.unlock();
    if (!too_late) answer(*done, *refusal);
    return;
  }
  slot.phase = Phase::running;
  lock.unlock();
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
  void *const self = call.route->self ? call.route->self : plugin_self;
  call.route->handler(self, &call.request); // answers now, later, or never; `call` may be gone after this
}

// So that the list holds about as many entries as there are calls, not all calls of the last ten seconds.
void Calls::State::forget_met_deadlines() {
  while (!deadlines.empty() && !find(deadlines.front().second))
    deadlines.pop_front();
}

void Calls::State::run_deadlines() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    forget_met_deadlines();
    if (deadlines.empty()) {
      deadline_thread_rests = true;
      deadline_changed.wait(lock);
      deadline_thread_rests = false;
    } else if (const auto next = deadlines.front().first; Clock::now() < next) {
      deadline_changed.wait_until(lock, next);
    } else {
      expire_front(lock);
    }
  }
}

void Calls::State::expire_front(std::unique_lock<std::mutex> &lock) {
  Slot &slot = *find(deadlines.front().second);
  deadlines.pop_front();
  slot.answered = true; // from here on the plugin's answer is too late
  if (slot.phase == Phase::running) ++counts.abandoned;
  const bool was_waiting = slot.phase == Phase::waiting;
  const CallPtr call = slot.call;
  const auto request_id = slot.phase == Phase::running ? call->admitted.request_id : std::string();
  lock.unlock();
  const auto text = "no answer within " + std::to_string(limits.deadline.count()) + " ms" +
                    (was_waiting ? " (it waited for a worker all the time)" : "");
  send(*call, runtime_error_reply(call->route->method, kDeadlineCode, text, call->trace_id));
  report(CallEvent::Kind::deadline, *call, text, request_id);
  lock.lock();
  --counts.unanswered;
  ++counts.expired;
  progress.notify_all();
}

Calls::Calls(CallLimits limits, ServiceIdentity service, std::shared_ptr<Validator> validator, void *plugin_self,
             Workers &workers, OnEvent on_event)
    : state_(std::make_shared<State>(limits, std::move(service), std::move(validator), plugin_self, workers,
                                     std::move(on_event))) {
  workers.keep(state_);
  state_->deadline_thread = std::thread([state = state_.get()] { state->run_deadlines(); }); // stop() joins it
}

Calls::~Calls() {
  if (state_->deadline_thread.joinable()) stop(Clock::now());
}

void Calls::arrive(std::shared_ptr<const RpcRoute> route, MessagePtr message) {
  auto &state = *state_;
  const auto deadline = Clock::now() + state.limits.deadline;
  std::string trace_id(wire::trace_id_of(message->header(wire::kTraceparent)));
  const auto call = std::make_shared<State::Call>(
      State::Call{std::move(route), std::move(message), std::move(trace_id), deadline, {}, {}});

  std::unique_lock lock(state.mutex);
  if (state.stopping || state.is_full()) {
    const bool stopping = state.stopping;
    ++state.counts.overloaded;
    lock.unlock();
    return state.refuse(*call, stopping);
  }
  const auto handle = state.insert(call);
  ++state.counts.unanswered;
  ++state.counts.waiting;
  state.forget_met_deadlines();
  state.deadlines.emplace_back(deadline, handle);
  const bool wake_deadlines = state.deadline_thread_rests;
  lock.unlock();
  const auto run = [](void *owner, std::uint64_t waiting) { static_cast<State *>(owner)->run_task(waiting); };
  if (!state.workers.post({run, &state, handle, call->route->method.name})) return state.give_back(handle);
  if (wake_deadlines) state.deadline_changed.notify_one();
}

// The workers didn't take it: something else of this plugin fills their queue.
void Calls::State::give_back(trellis_call handle) {
  std::unique_lock lock(mutex);
  --counts.waiting;
  const bool too_late = find(handle)->answered;
  const auto call = take(handle);
  if (too_late) return;
  --counts.unanswered;
  ++counts.overloaded;
  const bool because_stopping = stopping;
  lock.unlock();
  refuse(*call, because_stopping);
}

trellis_status Calls::complete(trellis_call handle, std::string_view output) {
  const auto call = state_->take_for_answer(handle);
  if (!call) return TRELLIS_E_GONE;
  const auto reply = success_reply(call->route->method, output, call->trace_id);
  const auto sent = state_->answer(*call, reply);
  if (!reply.is_error) return sent == Sent::as_error ? TRELLIS_E_TOO_LARGE : TRELLIS_OK;
  state_->report(CallEvent::Kind::bad_output, *call, "the output breaks the contract: " + reply.payload,
                 call->admitted.request_id);
  return TRELLIS_E_INVALID;
}

trellis_status Calls::fail(trellis_call handle, const HandlerError &error) {
  const auto call = state_->take_for_answer(handle);
  if (!call) return TRELLIS_E_GONE;
  const auto answer = error_reply(state_->service, call->route->method, call->admitted, error);
  state_->answer(*call, answer.reply);
  if (answer.well_formed) return TRELLIS_OK;
  state_->report(CallEvent::Kind::bad_error, *call, answer.reply.payload, call->admitted.request_id);
  return TRELLIS_E_INVALID;
}

trellis_status Calls::release(trellis_call handle) {
  const auto call = state_->take_for_answer(handle);
  if (!call) return TRELLIS_E_GONE;
  const HandlerError gave_up{{}, "the service gave the request up without an answer", {}, {}};
  state_->answer(*call, error_reply(state_->service, call->route->method, call->admitted, gave_up).reply);
  state_->report(CallEvent::Kind::released, *call, "released without an answer", call->admitted.request_id);
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
  std::vector<State::CallPtr> left;
  std::unique_lock lock(state.mutex);
  state.stopping = true;
  for (auto &slot : state.slots) {
    if (!slot.call || slot.answered) continue;
    slot.answered = true;
    if (slot.phase == Phase::running) ++state.counts.abandoned;
    left.push_back(slot.call);
  }
  lock.unlock();
  state.deadline_changed.notify_all();
  for (const auto &call : left)
    state.answer(*call, runtime_error_reply(call->route->method, kStoppingCode, "the service stopped", call->trace_id));
  left.clear();
  lock.lock();
  state.progress.wait_until(lock, until, [&] { return state.counts.running == 0 && state.counts.unanswered == 0; });
  const bool idle = state.counts.running == 0;
  lock.unlock();
  if (state.deadline_thread.joinable()) state.deadline_thread.join();
  return idle;
}

Calls::Counts Calls::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

} // namespace trellis::host
