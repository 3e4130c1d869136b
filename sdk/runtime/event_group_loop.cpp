#include "runtime/event_group_loop.h"

#include "contracts/json_write.h"
#include "contracts/manifest.h"
#include "transport/jetstream_messages.h"
#include "wire/subjects.h"
#include "wire/ulid.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

using namespace std::chrono_literals;

constexpr auto kHeartbeat = 15s; // 06 §1: batch 1, expires 30 s, idle heartbeat 15 s
constexpr auto kExpires = 30s;
constexpr auto kSilence = 2 * kHeartbeat + 2s; // two heartbeats missed: the pull is lost
constexpr auto kRoomAgain = 20ms;              // how soon a full queue is tried again
constexpr auto kAckAgain = 100ms;              // how soon an ack that wasn't sent is
constexpr auto kDrainTime = 2s;                // for the server to confirm that nothing more comes
constexpr auto kLeastInProgress = 5ms;

std::string pull_body() {
  return JsonObjectText()
      .number("batch", 1)
      .number("max_bytes", 0)
      .number("idle_heartbeat", std::chrono::nanoseconds(kHeartbeat).count())
      .number("expires", std::chrono::nanoseconds(kExpires).count())
      .str();
}

Result<void> without_value(const Result<JsonDocument> &answer) {
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

} // namespace

void EventGroup::State::say(EventReport::Kind kind, std::string name, std::string detail) const {
  config.report({kind, std::move(name), std::move(detail)});
}

// ------------------------------------------------------------------------------------------------------- the loop

void EventGroup::State::run() {
  for (;;) {
    auto next = Next::restart;
    const auto attached = attach();
    if (attached) next = consume();
    if (next == Next::end) break;
    {
      const std::lock_guard lock(mutex);
      if (ending()) break;
    }
    if (!attached) say(EventReport::Kind::restarting, config.group, attached.error().text());
    pause_before_restart();
  }
  finish();
  const std::lock_guard lock(mutex);
  running = false;
  changed.notify_all();
}

// The library probe and the consumer, as every client asks for them before its first pull.
Result<void> EventGroup::State::attach() {
  if (auto opened = open_inbox(); !opened) return opened;
  {
    const std::lock_guard lock(mutex);
    reconnected = false;
  }
  const auto probe = ask("$JS.API.INFO");
  if (!probe) return tl::make_unexpected(probe.error());
  const auto &consumer = config.consumer;
  const auto answer = ask("$JS.API.CONSUMER.INFO." + consumer.stream + "." + consumer.name);
  if (!answer) return tl::make_unexpected(answer.error());
  const auto info = read_api_answer((*answer)->payload(), consumer.stream + "." + consumer.name);
  if (!info) return without_value(info);
  if (const auto *settings = find_member(*info, "config")) times = read_consumer_times(*settings);
  if (!std::exchange(said_listening, true)) say(EventReport::Kind::listening, config.group, consumer.name);
  return {};
}

Result<void> EventGroup::State::open_inbox() {
  if (subscription) return {};
  inbox = config.inbox_prefix + "." + new_ulid();
  auto opened = transport.subscribe(inbox + ".*", {}, [weak = weak_from_this()](MessagePtr message) {
    const auto state = weak.lock();
    if (!state) return;
    const std::lock_guard lock(state->mutex);
    state->arrived.push_back(std::move(message));
    state->changed.notify_all();
  });
  if (!opened) return tl::make_unexpected(opened.error());
  subscription = std::move(*opened);
  return {};
}

// A request that drain() cuts short.
Result<MessagePtr> EventGroup::State::ask(const std::string &subject) {
  struct Answer {
    std::optional<Result<MessagePtr>> reply; // guarded by the state's mutex
  };
  const auto answer = std::make_shared<Answer>();
  transport.request({.subject = subject}, config.api_timeout, [weak = weak_from_this(), answer](auto reply) {
    const auto state = weak.lock();
    if (!state) return;
    const std::lock_guard lock(state->mutex);
    answer->reply = std::move(reply);
    state->changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer->reply || ending(); });
  if (!answer->reply) return fail(transport_error::kClosed, subject, "the group is being stopped");
  return std::move(*answer->reply);
}

EventGroup::State::Next EventGroup::State::consume() {
  for (;;) {
    {
      const std::lock_guard lock(mutex);
      if (ending()) return Next::end;
    }
    if (const auto sent = pull(); !sent) {
      say(EventReport::Kind::restarting, config.group, sent.error().text());
      return Next::restart;
    }
    MessagePtr message;
    const auto next = await(message);
    if (next == Next::restart || next == Next::end) return next;
    if (!message) continue;
    pause = 0ms;
    handle(std::move(message));
  }
}

Result<void> EventGroup::State::pull() {
  static const std::string kBody = pull_body();
  const std::string subject = "$JS.API.CONSUMER.MSG.NEXT." + config.consumer.stream + "." + config.consumer.name;
  const std::string reply = inbox + "." + std::to_string(++pulls);
  return transport.publish({.subject = subject, .reply = reply, .payload = kBody});
}

// go_on: `message` is one to handle. Whatever pull brought it: one that was thought lost may still be answered.
EventGroup::State::Next EventGroup::State::await(MessagePtr &message) {
  auto silent_at = Clock::now() + kSilence;
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait_until(lock, silent_at, [&] { return !arrived.empty() || ending() || reconnected; });
    if (ending()) return Next::end; // what arrived is finish()'s
    if (reconnected && arrived.empty()) return Next::restart;
    if (arrived.empty()) {
      lock.unlock();
      say(EventReport::Kind::restarting, config.group, "the server has been silent for two heartbeats");
      return Next::restart;
    }
    auto first = std::move(arrived.front());
    arrived.pop_front();
    if (parse_ack_subject(first->reply())) {
      message = std::move(first);
      return Next::go_on;
    }
    lock.unlock();
    const auto next = read_status(*first);
    if (next != Next::go_on) return next;
    lock.lock();
    silent_at = Clock::now() + kSilence;
  }
}

// 100: still there. 404, 408: nothing for this pull. Others mean that it isn't served any more.
EventGroup::State::Next EventGroup::State::read_status(const Message &message) {
  const auto status = message.header("Status");
  const bool of_this_pull = message.subject() == inbox + "." + std::to_string(pulls);
  if (status.empty() || status == "100" || !of_this_pull) return Next::go_on;
  if (status == "404" || status == "408") return Next::pull;
  say(EventReport::Kind::restarting, config.group,
      "status " + std::string(status) + " " + std::string(message.header("Description")));
  return Next::restart;
}

// A reconnection ends the pause: waiting longer would only delay what can be done now.
void EventGroup::State::pause_before_restart() {
  pause = std::clamp(2 * pause, config.restart_min, config.restart_max);
  std::unique_lock lock(mutex);
  changed.wait_for(lock, pause, [&] { return ending() || reconnected; });
}

// What has been delivered is handled, or given back when there is no time left.
void EventGroup::State::finish() {
  if (!subscription) return;
  subscription->drain([weak = weak_from_this()] {
    const auto state = weak.lock();
    if (!state) return;
    const std::lock_guard lock(state->mutex);
    state->drained = true;
    state->changed.notify_all();
  });
  std::unique_lock lock(mutex);
  const auto until = Clock::now() + kDrainTime;
  while (!drained && Clock::now() < std::min(until, end_by))
    changed.wait_until(lock, std::min(until, end_by)); // end_by may come nearer
  while (!arrived.empty()) {
    auto message = std::move(arrived.front());
    arrived.pop_front();
    const bool is_kept = task == Task::running; // `current` is its handler's for as long as the process lives
    lock.unlock();
    if (parse_ack_subject(message->reply())) is_kept ? give_back(*message) : handle(std::move(message));
    lock.lock();
  }
  lock.unlock();
  subscription.reset();
}

// Nobody has begun with it: another process may at once, or when its ack deadline passes if this gets lost.
void EventGroup::State::give_back(const Message &message) {
  static_cast<void>(transport.publish({.subject = message.reply(), .payload = kNak}));
}

// ------------------------------------------------------------------------------------------------------ one message

void EventGroup::State::handle(MessagePtr message) {
  const std::string event(message->subject());
  current_at = *parse_ack_subject(message->reply());
  current_handlers = handlers_for(*message);
  current = std::move(message);
  if (auto *metrics = current_metrics()) metrics->delivered();
  const auto result = run_handlers(Clock::now());
  if (!result) {
    const std::lock_guard lock(mutex);
    if (task == Task::running) return; // the handler has it for as long as the process lives
    task = Task::none;                 // and if a worker comes to it yet, it finds nothing
  }
  if (!result) return settle(kNak); // nobody has begun: another process may at once
  if (*result == Outcome::done) return settle(kAck);
  if (*result == Outcome::undecodable) return settle(kTerm);
  settle(times.nak(current_at.delivery));
  if (times.is_last(current_at.delivery))
    say(EventReport::Kind::given_up, config.group,
        event + " failed in all of its " + std::to_string(current_at.delivery) + " deliveries");
}

std::vector<const EventHandler *> EventGroup::State::handlers_for(const Message &message) const {
  std::vector<const EventHandler *> out;
  for (const auto &handler : config.handlers)
    if (subject_matches(wildcard_subject(handler.type->subject), message.subject())) out.push_back(&handler);
  return out;
}

// The first handler's, because all are of one event; nullptr when nobody counts.
EventConsumerMetrics *EventGroup::State::current_metrics() const {
  return current_handlers.empty() ? nullptr : current_handlers.front()->metrics.get();
}

// nullopt: the time to end came first.
std::optional<EventGroup::State::Outcome> EventGroup::State::run_handlers(Clock::time_point delivered_at) {
  const auto half = std::max<Clock::duration>(
      std::chrono::duration_cast<Clock::duration>(times.wait_for(current_at.delivery)) / 2, kLeastInProgress);
  auto alive_at = delivered_at + half;
  bool posted = false;
  std::unique_lock lock(mutex);
  outcome.reset();
  for (;;) {
    if (!posted) {
      task = Task::waiting;
      lock.unlock(); // it may run inside the call
      posted = config.post(
          {[](void *self, std::uint64_t) { static_cast<State *>(self)->run_task(); }, this, 0, config.group});
      if (!posted) say(EventReport::Kind::crowded, config.group, "the plugin's queue is full; the event waits");
      lock.lock();
      if (!posted) task = Task::none;
    }
    if (outcome) return outcome;
    if (Clock::now() >= end_by) return std::nullopt;
    auto wake = std::min(alive_at, end_by);
    if (!posted) wake = std::min(wake, Clock::now() + kRoomAgain);
    changed.wait_until(lock, wake);
    if (outcome) return outcome;
    if (Clock::now() < alive_at) continue;
    lock.unlock();
    keep_alive();
    lock.lock();
    alive_at = Clock::now() + half;
  }
}

void EventGroup::State::keep_alive() {
  static_cast<void>(transport.publish({.subject = current->reply(), .payload = kInProgress})); // again in a moment
}

// While the connection is down an ack waits here, as long as the server waits for it.
void EventGroup::State::settle(std::string_view body) {
  const auto message = std::move(current);
  const auto useless_at =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(times.wait_for(current_at.delivery));
  for (;;) {
    const auto sent = transport.publish({.subject = message->reply(), .payload = body});
    if (sent) {
      if (auto *metrics = current_metrics()) metrics->answered(body);
      return;
    }
    std::unique_lock lock(mutex);
    const auto now = Clock::now();
    if (sent.error().code != transport_error::kClosed || now >= useless_at || now >= end_by) {
      lock.unlock();
      return say(EventReport::Kind::restarting, config.group, "not acknowledged: " + sent.error().text());
    }
    changed.wait_until(lock, std::min({now + kAckAgain, useless_at, end_by}));
  }
}

// [worker]
void EventGroup::State::run_task() {
  {
    const std::lock_guard lock(mutex);
    if (task != Task::waiting) return;
    task = Task::running;
  }
  struct Finish { // also when a handler ends its thread (pthread_exit in a plugin): then it failed
    State &state;
    Outcome result = Outcome::failed;
    ~Finish() {
      const std::lock_guard lock(state.mutex);
      state.outcome = result;
      state.task = Task::none;
      state.changed.notify_all();
    }
  } finish{*this};
  finish.result = run_chain(*current, current_at);
}

// All handlers of the event in registration order; the first that fails ends it, and on redelivery all run again.
EventGroup::State::Outcome EventGroup::State::run_chain(const Message &message, const AckSubject &at) const {
  for (const auto *handler : current_handlers) {
    auto event = read_event(handler->type, message);
    if (!event) {
      say(EventReport::Kind::undecodable, handler->type->name, event.error().text());
      return Outcome::undecodable;
    }
    event->group = config.group;
    event->sequence = at.stream_sequence;
    event->delivery = at.delivery;
    if (const auto done = handler->handle(*event); !done) {
      say(EventReport::Kind::handler_failed, handler->type->name, done.error().text());
      return Outcome::failed;
    }
  }
  if (!current_handlers.empty()) return Outcome::done;
  say(EventReport::Kind::handler_failed, config.group, "no handler for " + std::string(message.subject()));
  return Outcome::failed;
}

} // namespace trellis
