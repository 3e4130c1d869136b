#include "runtime/event_listener.h"

#include "contracts/event_subject.h"
#include <condition_variable>
#include <deque>
#include <mutex>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {

Result<std::string> listener_subject(const EventType &type, std::string_view subject_data) {
  auto data = parse_json(subject_data.empty() ? "{}" : subject_data);
  if (!data || !data->IsObject())
    return fail("subject_data", type.name, "the subject data is no JSON object", "a JSON object, or nothing");
  return expand_subject(type.subject, *data, SubjectMode::filter);
}

struct EventListener::State {
  const EventHandler handler;
  const PostEventTask post;
  const std::size_t max_waiting;
  const OnEventReport report;

  std::mutex mutex; // guards everything below
  std::condition_variable changed;
  std::deque<MessagePtr> waiting;
  bool scheduled = false; // a task is posted or running
  bool stopped = false;

  bool schedule();
  void drop_waiting();
  void run();
  void run_here();
  MessagePtr next();
  void deliver(const Message &message) const;
};

// Without the lock. False: there is no room.
bool EventListener::State::schedule() {
  const auto run = [](void *owner, std::uint64_t) { static_cast<State *>(owner)->run(); };
  return post({run, this, 0, handler.type->name});
}

void EventListener::State::drop_waiting() {
  std::deque<MessagePtr> lost;
  {
    const std::lock_guard lock(mutex);
    scheduled = false;
    lost.swap(waiting);
    changed.notify_all();
  }
  report({EventReport::Kind::dropped, handler.type->name, "the plugin's queue is full", lost.size()});
}

// nullptr: nothing waits any more, and the next arrival posts a task of its own.
MessagePtr EventListener::State::next() {
  const std::lock_guard lock(mutex);
  if (waiting.empty()) {
    scheduled = false;
    changed.notify_all();
    return nullptr;
  }
  auto message = std::move(waiting.front());
  waiting.pop_front();
  return message;
}

// [worker] One message a task, so that a busy listener shares its worker with requests; when there is no room for
// another task it goes on with the worker that it has. A handler that ends its thread (pthread_exit in a plugin)
// unwinds through here, and what waits is another worker's.
void EventListener::State::run() {
  struct GoOn {
    State &state;
    bool returned = false;
    ~GoOn() {
      if (!returned && !state.schedule()) state.drop_waiting();
    }
  } go_on{*this};
  run_here();
  go_on.returned = true;
}

void EventListener::State::run_here() {
  for (auto message = next(); message; message = next()) {
    deliver(*message);
    {
      const std::lock_guard lock(mutex);
      if (waiting.empty()) continue;
    }
    if (schedule()) return;
  }
}

void EventListener::State::deliver(const Message &message) const {
  if (handler.metrics) handler.metrics->delivered();
  const auto event = read_event(handler.type, message);
  if (!event) return report({EventReport::Kind::undecodable, handler.type->name, event.error().text()});
  if (const auto done = handler.handle(*event); !done)
    report({EventReport::Kind::handler_failed, handler.type->name, done.error().text()});
}

EventListener::EventListener(EventHandler handler, PostEventTask post, std::size_t max_waiting, OnEventReport report)
    : state_(new State{std::move(handler), std::move(post), max_waiting, std::move(report), {}, {}, {}, {}, {}}) {}

EventListener::~EventListener() {
  stop();
}

void EventListener::arrive(MessagePtr message) {
  auto &state = *state_;
  bool post = false, full = false;
  {
    const std::lock_guard lock(state.mutex);
    if (state.stopped) return;
    full = state.waiting.size() >= state.max_waiting;
    if (!full) state.waiting.push_back(std::move(message));
    post = !full && !std::exchange(state.scheduled, true);
  }
  if (full)
    state.report({EventReport::Kind::dropped, state.handler.type->name,
                  std::to_string(state.max_waiting) + " events wait for the handler already"});
  if (post && !state.schedule()) state.drop_waiting();
}

bool EventListener::wait_idle(Clock::time_point until) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, until, [&] { return !state_->scheduled; });
}

void EventListener::stop() {
  std::deque<MessagePtr> lost;
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  lost.swap(state_->waiting);
}

} // namespace trellis
