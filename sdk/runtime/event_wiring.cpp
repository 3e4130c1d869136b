#include "runtime/event_wiring.h"

#include <algorithm>
#include <atomic>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

constexpr char kNotKnown[] = "not_known";

std::string listed(const std::vector<EventKey> &events) {
  std::string out;
  for (const auto &event : events)
    out += (out.empty() ? "" : ", ") + event.name + " of " + event.contract_id;
  return out;
}

} // namespace

Result<EventHandler> EventWiring::handler_of(const EventRegistration &registration) const {
  const auto contract = contract_called(config_.own, config_.find, registration.contract_id);
  if (!contract) return fail(kNotKnown, registration.contract_id, "no such contract here at the moment");
  auto type = compile_event(*contract, registration.name);
  if (!type) return tl::make_unexpected(std::move(type.error()));
  EventHandler handler{std::make_shared<const EventType>(std::move(*type)), registration.handle};
  if (config_.metrics)
    handler.metrics = std::make_shared<EventConsumerMetrics>(*config_.metrics, registration.name, registration.group);
  return handler;
}

Result<void> EventWiring::open() {
  const std::lock_guard lock(mutex_);
  const auto resources = parse_json(config_.bindings.empty() ? "{}" : config_.bindings);
  if (resources) consumers_ = read_event_consumers(*resources);
  for (const auto &registration : config_.registrations) {
    if (!registration.group.empty()) continue;
    auto &live = live_.emplace_back(Live{&registration, {}, {}});
    auto done = subscribe(live);
    if (!done && done.error().code != kNotKnown) return done;
    if (!done) config_.report({EventReport::Kind::not_started, registration.name, done.error().text()});
  }
  for (const auto &contract : config_.own)
    if (const auto &groups = contract.model().event_consumers)
      for (const auto &[name, group] : *groups)
        open_group(name);
  open_ = true;
  return {};
}

Result<void> EventWiring::subscribe(Live &live) {
  auto handler = handler_of(*live.registration);
  if (!handler) return tl::make_unexpected(handler.error());
  auto subject = listener_subject(*handler->type, live.registration->subject_data);
  if (!subject) return tl::make_unexpected(subject.error());
  auto listener =
      std::make_unique<EventListener>(std::move(*handler), config_.post, config_.max_waiting, config_.report);
  auto subscription = transport_.subscribe(
      std::move(*subject), {}, [&arrived = *listener](MessagePtr message) { arrived.arrive(std::move(message)); });
  if (!subscription) return tl::make_unexpected(subscription.error());
  live.listener = std::move(listener);
  live.subscription = std::move(*subscription);
  return {};
}

void EventWiring::open_group(const std::string &group) {
  const auto refuse = [&](std::string why) { config_.report({EventReport::Kind::not_started, group, std::move(why)}); };
  const auto consumer = consumers_.find(group);
  if (consumer == consumers_.end()) return refuse("policy gave no consumer for it");
  EventGroupConfig config;
  config.group = group;
  config.consumer = consumer->second;
  config.inbox_prefix = config_.inbox_prefix;
  for (const auto &contract : config_.own)
    if (auto events = group_events(contract, group); !events.empty()) config.events = std::move(events);
  for (const auto &registration : config_.registrations) {
    if (registration.group != group) continue;
    auto handler = handler_of(registration);
    if (!handler) {
      waiting_groups_.push_back(group);
      return refuse(handler.error().text());
    }
    config.handlers.push_back(std::move(*handler));
  }
  if (const auto missing = events_without_handler(config); !missing.empty())
    return refuse("no listener in this group for " + listed(missing));
  config.post = config_.post;
  config.report = config_.report;
  groups_.push_back(std::make_unique<EventGroup>(transport_, std::move(config)));
}

void EventWiring::connected() {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  for (const auto &group : groups_)
    group->connected();
}

void EventWiring::contracts_changed() {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  const bool unwired = std::ranges::any_of(live_, [](const Live &live) { return !live.listener; });
  if (unwired || !waiting_groups_.empty())
    config_.post({[](void *self, std::uint64_t) { static_cast<EventWiring *>(self)->open_known(); }, this, 0,
                  "event listeners"});
}

// [worker] Compiles schemas.
void EventWiring::open_known() {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  for (auto &live : live_)
    if (!live.listener && subscribe(live))
      config_.report({EventReport::Kind::listening, live.registration->name, "its contract is known now"});
  for (const auto &group : std::exchange(waiting_groups_, {}))
    open_group(group);
}

void EventWiring::drain(std::function<void()> done) {
  std::vector<Subscription *> open;
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
    for (const auto &group : groups_)
      group->drain();
    for (const auto &live : live_)
      if (live.subscription) open.push_back(live.subscription.get());
  }
  if (open.empty()) return done();
  const auto left = std::make_shared<std::atomic<std::size_t>>(open.size());
  for (auto *subscription : open)
    subscription->drain([left, done] {
      if (--*left == 0) done();
    });
}

// After drain() nothing is added any more.
bool EventWiring::wait_idle(Clock::time_point until) {
  bool idle = true;
  for (auto &live : live_) {
    live.subscription.reset();
    if (live.listener) idle = live.listener->wait_idle(until) && idle;
  }
  for (const auto &group : groups_)
    idle = group->wait_idle(until) && idle;
  return idle;
}

void EventWiring::stop(Clock::time_point until) {
  for (auto &live : live_)
    if (live.listener) live.listener->stop();
  for (const auto &group : groups_)
    group->stop(until);
}

} // namespace trellis
