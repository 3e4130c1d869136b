#include "calls.h"

#include "wire/names.h"
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
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

  struct Worker {
    std::thread thread;
    const RpcRoute *busy = nullptr; // whose request it works on
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
  std::vector<std::size_t> free;
  std::deque<trellis_call> queue;
  std::deque<std::pair<Clock::time_point, trellis_call>> deadlines; // in order, since all wait equally long
  std::deque<Worker> workers;
  std::size_t idle = 0; // workers that wait
  std::thread deadline_thread;
  bool deadline_thread_rests = false; // it knows of no deadline: tell it about the next one
  bool stopping = false;
  Counts counts;

  // The table. With the lock.
  Slot *find(trellis_call call); // nullptr when the handle's request is over
  trellis_call insert(CallPtr call);
  CallPtr take(trellis_call call);

  // The threads.
  static void start_worker(const std::shared_ptr<State> &state);
  void run_worker(Worker &self);
  void run_one(trellis_call handle, Call &call);
  void run_deadlines();
  void forget_met_deadlines();
  void expire_front(std::unique_lock<std::mutex> &lock);
  bool end_threads();

  // Answers. Without the lock.
  void report(CallEvent::Kind kind, const RpcRoute &route, std::string detail) const;
  void send(const Call &call, const RpcReply &reply) const;
  void answer(const Call &call, const RpcReply &reply);
  void refuse(const Call &call, bool because_stopping);
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

void Calls::State::report(CallEvent::Kind kind, const RpcRoute &route, std::string detail) const {
  on_event({kind, route.method.name, std::move(detail)});
}

void Calls::State::send(const Call &call, const RpcReply &reply) const {
  if (!send_reply(call.route->method, *call.message, reply, call.trace_id))
    report(CallEvent::Kind::send_failed, *call.route, "the reply could not be sent");
}

// The call counts as unanswered until its reply is on its way: who waits for idleness closes the connection next.
void Calls::State::answer(const Call &call, const RpcReply &reply) {
  send(call, reply);
  const std::lock_guard lock(mutex);
  --counts.unanswered;
  ++counts.answered;
  progress.notify_all();
}

void Calls::State::refuse(const Call &call, bool because_stopping) {
  const auto &method = call.route->method;
  send(call, because_stopping
                 ? runtime_error_reply(method, kStoppingCode, "the service is stopping", call.trace_id)
                 : runtime_error_reply(method, kOverloadedCode, "the service has too much to do", call.trace_id));
  if (!because_stopping) report(CallEvent::Kind::overloaded, *call.route, {});
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

// With the lock. The thread keeps the state alive: a stuck handler may outlive the Calls.
void Calls::State::start_worker(const std::shared_ptr<State> &state) {
  Worker &worker = state->workers.emplace_back();
  try {
    worker.thread = std::thread([state, &worker] { state->run_worker(worker); });
  } catch (const std::system_error &) { // the system has no thread to give; the next arrival asks again
    state->workers.pop_back();
  }
}

void Calls::State::run_worker(Worker &self) {
  std::unique_lock lock(mutex);
  for (;;) {
    ++idle;
    work.wait(lock, [&] { return stopping || !queue.empty(); });
    --idle;
    if (queue.empty()) break;
    const auto handle = queue.front();
    queue.pop_front();
    --counts.waiting;
    Slot &slot = *find(handle);
    if (slot.answered) { // its deadline passed in the queue
      take(handle);
      continue;
    }
    slot.phase = Phase::admitting;
    Call &call = *slot.call;
    self.busy = call.route.get();
    ++counts.running;
    lock.unlock();
    run_one(handle, call);
    lock.lock();
    --counts.running;
    self.busy = nullptr;
    if (stopping) progress.notify_all();
  }
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
  call.route->handler(plugin_self, &call.request); // answers now, later, or never; `call` may be gone after this
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
  lock.unlock();
  const auto text = "no answer within " + std::to_string(limits.deadline.count()) + " ms" +
                    (was_waiting ? " (it waited for a worker all the time)" : "");
  send(*call, runtime_error_reply(call->route->method, kDeadlineCode, text, call->trace_id));
  report(CallEvent::Kind::deadline, *call->route, text);
  lock.lock();
  --counts.unanswered;
  ++counts.expired;
  progress.notify_all();
}

// Joins the threads that end by themselves and leaves the others behind; false when there are such.
bool Calls::State::end_threads() {
  if (deadline_thread.joinable()) deadline_thread.join();
  bool clean = true;
  std::vector<std::thread> ending;
  std::vector<std::string> stuck;
  {
    const std::lock_guard lock(mutex);
    for (auto &worker : workers) {
      if (worker.busy) clean = false;
      if (!worker.thread.joinable()) continue; // left behind by an earlier stop
      if (!worker.busy) {
        ending.push_back(std::move(worker.thread));
      } else {
        stuck.push_back(worker.busy->method.name);
        worker.thread.detach();
      }
    }
  }
  for (auto &thread : ending)
    thread.join(); // with it the plugin's thread-locals are gone
  for (auto &surface : stuck)
    on_event({CallEvent::Kind::stuck_worker, std::move(surface), "a handler didn't return in time"});
  return clean;
}

Calls::Calls(CallLimits limits, ServiceIdentity service, std::shared_ptr<Validator> validator, void *plugin_self,
             OnEvent on_event)
    : state_(
          std::make_shared<State>(limits, std::move(service), std::move(validator), plugin_self, std::move(on_event))) {
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
  state.queue.push_back(handle);
  state.forget_met_deadlines();
  state.deadlines.emplace_back(deadline, handle);
  const bool wake_deadlines = state.deadline_thread_rests;
  // Compared with all that wait: an idle worker that was just notified has not taken its request yet.
  if (state.counts.waiting > state.idle && state.workers.size() < state.limits.max_concurrency)
    State::start_worker(state_);
  lock.unlock();
  state.work.notify_one();
  if (wake_deadlines) state.deadline_changed.notify_one();
}

trellis_status Calls::complete(trellis_call handle, std::string_view output) {
  const auto call = state_->take_for_answer(handle);
  if (!call) return TRELLIS_E_GONE;
  const auto reply = success_reply(call->route->method, output, call->trace_id);
  state_->answer(*call, reply);
  if (!reply.is_error) return TRELLIS_OK;
  state_->report(CallEvent::Kind::bad_output, *call->route, "the output breaks the contract: " + reply.payload);
  return TRELLIS_E_INVALID;
}

trellis_status Calls::fail(trellis_call handle, const HandlerError &error) {
  const auto call = state_->take_for_answer(handle);
  if (!call) return TRELLIS_E_GONE;
  const auto answer = error_reply(state_->service, call->route->method, call->admitted, error);
  state_->answer(*call, answer.reply);
  if (answer.well_formed) return TRELLIS_OK;
  state_->report(CallEvent::Kind::bad_error, *call->route, answer.reply.payload);
  return TRELLIS_E_INVALID;
}

trellis_status Calls::release(trellis_call handle) {
  const auto call = state_->take_for_answer(handle);
  if (!call) return TRELLIS_E_GONE;
  const HandlerError gave_up{{}, "the service gave the request up without an answer", {}, {}};
  state_->answer(*call, error_reply(state_->service, call->route->method, call->admitted, gave_up).reply);
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
  state.work.notify_all();
  state.deadline_changed.notify_all();
  for (const auto &call : left)
    state.answer(*call, runtime_error_reply(call->route->method, kStoppingCode, "the service stopped", call->trace_id));
  left.clear();
  lock.lock();
  state.progress.wait_until(lock, until, [&] { return state.counts.running == 0 && state.counts.unanswered == 0; });
  lock.unlock();
  return state.end_threads();
}

Calls::Counts Calls::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

} // namespace trellis::host
