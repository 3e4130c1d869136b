#include "runtime/event_group.h"

#include "runtime/event_group_loop.h"
#include <algorithm>
#include <utility>

namespace trellis {

std::vector<EventKey> events_without_handler(const EventGroupConfig &config) {
  std::vector<EventKey> missing;
  for (const auto &event : config.events) {
    const auto serves = [&](const EventHandler &handler) {
      return handler.type->contract_id == event.contract_id && handler.type->name == event.name;
    };
    if (std::none_of(config.handlers.begin(), config.handlers.end(), serves)) missing.push_back(event);
  }
  return missing;
}

EventGroup::EventGroup(Transport &transport, EventGroupConfig config)
    : state_(std::make_shared<State>(transport, std::move(config))) {
  if (!events_without_handler(state_->config).empty()) return;
  state_->running = true;
  state_->thread = std::thread([state = state_.get()] { state->run(); }); // stop() joins it
}

EventGroup::~EventGroup() {
  if (state_->thread.joinable()) stop(Clock::now());
}

void EventGroup::connected() {
  const std::lock_guard lock(state_->mutex);
  state_->reconnected = true;
  state_->changed.notify_all();
}

void EventGroup::drain() {
  const std::lock_guard lock(state_->mutex);
  state_->draining = true;
  state_->changed.notify_all();
}

bool EventGroup::wait_idle(Clock::time_point until) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, until, [&] { return !state_->running; });
}

bool EventGroup::stop(Clock::time_point until) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->draining = true;
    state_->end_by = std::min(state_->end_by, until);
    state_->changed.notify_all();
  }
  if (state_->thread.joinable()) state_->thread.join();
  const std::lock_guard lock(state_->mutex);
  return state_->task != State::Task::running;
}

} // namespace trellis
