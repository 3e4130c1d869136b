#include "event_surfaces.h"

#include "abi_values.h"
#include "contract_directory.h"
#include "generation.h"
#include "host_api.h"
#include "log.h"
#include "nats/nats_transport.h"
#include "runtime/metrics_surfaces.h"
#include "wire/session_key.h"
#include "workers.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <utility>

namespace trellis::host {
namespace {

constexpr char kNotKnown[] = "not_known";

std::string_view group_of(const trellis_handler &handler) {
  return TRELLIS_HAS(trellis_handler, &handler, group) ? view(handler.group) : std::string_view{};
}

std::string_view subject_data_of(const trellis_handler &handler) {
  return TRELLIS_HAS(trellis_handler, &handler, subject_data) ? view(handler.subject_data) : std::string_view{};
}

CallEvent::Kind kind_of(EventReport::Kind kind) {
  switch (kind) {
  case EventReport::Kind::undecodable: return CallEvent::Kind::event_undecodable;
  case EventReport::Kind::given_up: return CallEvent::Kind::event_lost;
  case EventReport::Kind::dropped: return CallEvent::Kind::event_dropped;
  case EventReport::Kind::crowded: return CallEvent::Kind::event_waits;
  case EventReport::Kind::restarting: return CallEvent::Kind::group_restarting;
  default: return CallEvent::Kind::event_failed;
  }
}

Result<void> call(const trellis_handler &handler, void *self, const EventDelivery &event) {
  const trellis_event_delivery out{sizeof(trellis_event_delivery),
                                   event.delivery,
                                   str(event.type->contract_id),
                                   str(event.type->name),
                                   str(event.payload),
                                   str(event.subject),
                                   str(event.id),
                                   event.time_unix_ms,
                                   str(event.group),
                                   event.sequence,
                                   str(event.traceparent),
                                   str(event.tracestate)};
  ErrorText words;
  const auto status = handler.event(self, &out, words.sink());
  if (status == TRELLIS_OK) return {};
  return fail("handler_failed", event.id, words.text("the handler failed with status " + std::to_string(status)));
}

std::string listed(const std::vector<EventKey> &events) {
  std::string out;
  for (const auto &event : events)
    out += (out.empty() ? "" : ", ") + event.name + " of " + event.contract_id;
  return out;
}

} // namespace

EventSurfaces::EventSurfaces(SurfaceContext context, std::string bindings)
    : context_(std::move(context)), bindings_(std::move(bindings)) {}

// Own contracts first: they are those of this very file.
Result<std::shared_ptr<const EventType>> EventSurfaces::type_of(const trellis_handler &handler) const {
  const auto contract_id = view(handler.contract_id);
  const auto own = std::ranges::find(context_.contracts, contract_id, &Manifest::id);
  const auto known = context_.host.contracts.snapshot();
  const auto used = known->find(contract_id);
  if (own == context_.contracts.end() && used == known->end())
    return fail(kNotKnown, std::string(contract_id), "no such contract here at the moment");
  auto type = compile_event(own != context_.contracts.end() ? *own : used->second, view(handler.name));
  if (!type) return tl::make_unexpected(std::move(type.error()));
  return std::make_shared<const EventType>(std::move(*type));
}

EventHandler EventSurfaces::event_handler(const trellis_handler &handler, std::shared_ptr<const EventType> type) const {
  return {std::move(type),
          [&handler, self = context_.plugin.self](const EventDelivery &event) { return call(handler, self, event); }};
}

PostEventTask EventSurfaces::poster() const {
  return [&workers = context_.workers](const EventTask &task) {
    return workers.post({task.run, task.owner, task.argument, task.name});
  };
}

OnEventReport EventSurfaces::reporter() const {
  return [this](const EventReport &report) {
    if (report.kind == EventReport::Kind::listening)
      return context_.host.log.info(
          "consumer group started",
          {{"plugin", context_.config.name}, {"group", report.name}, {"consumer", report.detail}});
    count_listener_error(context_.metrics.errors(), report);
    for (std::uint64_t i = 0; i < report.times; ++i)
      context_.report({kind_of(report.kind), report.name, report.detail});
  };
}

Result<void> EventSurfaces::open() {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < context_.plugin.handler_count; ++i) {
    const auto &handler = *context_.plugin.handlers[i];
    if (handler.kind == TRELLIS_SURFACE_EVENT && group_of(handler).empty()) live_.push_back({&handler, {}, {}});
  }
  for (auto &live : live_) {
    const auto done = subscribe(live);
    if (!done && done.error().code != kNotKnown) return done;
    if (!done)
      context_.host.log.warn("an event listener waits for a contract", {{"plugin", context_.config.name},
                                                                        {"event", view(live.handler->name)},
                                                                        {"contract", view(live.handler->contract_id)}});
  }
  const auto resources = parse_json(bindings_.empty() ? "{}" : bindings_);
  const auto consumers =
      resources ? read_event_consumers(*resources) : std::map<std::string, EventConsumer, std::less<>>{};
  for (const auto &contract : context_.contracts)
    if (const auto &groups = contract.model().event_consumers)
      for (const auto &[name, group] : *groups)
        open_group(name, consumers);
  open_ = true;
  return {};
}

Result<void> EventSurfaces::subscribe(Live &live) {
  auto type = type_of(*live.handler);
  if (!type) return tl::make_unexpected(type.error());
  auto subject = listener_subject(**type, subject_data_of(*live.handler));
  if (!subject) return tl::make_unexpected(subject.error());
  live.listener = std::make_unique<EventListener>(event_handler(*live.handler, std::move(*type)), poster(),
                                                  context_.config.limits.queue, reporter());
  auto subscription =
      context_.transport.subscribe(std::move(*subject), {}, [&listener = *live.listener](MessagePtr message) {
        listener.arrive(std::move(message));
      });
  if (!subscription) return tl::make_unexpected(subscription.error());
  live.subscription = std::move(*subscription);
  return {};
}

void EventSurfaces::open_group(const std::string &group,
                               const std::map<std::string, EventConsumer, std::less<>> &consumers) {
  const auto refuse = [&](std::string_view why) {
    context_.host.log.warn("consumer group not started; its events wait in the stream",
                           {{"plugin", context_.config.name}, {"group", group}, {"detail", why}});
  };
  const auto consumer = consumers.find(group);
  if (consumer == consumers.end()) return refuse("policy gave no consumer for it");
  EventGroupConfig config;
  config.group = group;
  config.consumer = consumer->second;
  config.inbox_prefix = context_.key.inbox_prefix();
  for (const auto &contract : context_.contracts)
    if (const auto events = group_events(contract, group); !events.empty()) config.events = events;
  for (std::uint32_t i = 0; i < context_.plugin.handler_count; ++i) {
    const auto &handler = *context_.plugin.handlers[i];
    if (handler.kind != TRELLIS_SURFACE_EVENT || group_of(handler) != group) continue;
    auto type = type_of(handler);
    if (!type) {
      waiting_groups_.push_back(group);
      return refuse(type.error().text());
    }
    config.handlers.push_back(event_handler(handler, std::move(*type)));
  }
  if (const auto missing = events_without_handler(config); !missing.empty())
    return refuse("no listener in this group for " + listed(missing));
  config.post = poster();
  config.report = reporter();
  groups_.push_back(std::make_unique<EventGroup>(context_.transport, std::move(config)));
}

// Compiles schemas: on a worker.
void EventSurfaces::open_known() {
  for (auto &live : live_)
    if (!live.listener && subscribe(live))
      context_.host.log.info("an event listener has its contract now",
                             {{"plugin", context_.config.name}, {"event", view(live.handler->name)}});
  const auto resources = parse_json(bindings_.empty() ? "{}" : bindings_);
  if (!resources) return;
  const auto consumers = read_event_consumers(*resources);
  for (const auto &group : std::exchange(waiting_groups_, {}))
    open_group(group, consumers);
}

void EventSurfaces::connected() {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  for (const auto &group : groups_)
    group->connected();
  const bool unwired = std::ranges::any_of(live_, [](const Live &live) { return !live.listener; });
  if (!unwired && waiting_groups_.empty()) return;
  const auto wire = [](void *self, std::uint64_t) {
    auto &surfaces = *static_cast<EventSurfaces *>(self);
    const std::lock_guard again(surfaces.mutex_);
    if (surfaces.open_) surfaces.open_known();
  };
  context_.workers.post({wire, this, 0, "events"});
}

void EventSurfaces::drain(std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  open_ = false;
  for (const auto &group : groups_)
    group->drain();
  std::vector<Subscription *> open;
  for (const auto &live : live_)
    if (live.subscription) open.push_back(live.subscription.get());
  if (open.empty()) return done();
  const auto one = when_all(open.size(), std::move(done));
  for (auto *subscription : open)
    subscription->drain(one);
}

bool EventSurfaces::wait_idle(Clock::time_point until) {
  bool idle = true;
  for (auto &live : live_) {
    live.subscription.reset();
    if (live.listener) idle = live.listener->wait_idle(until) && idle;
  }
  for (const auto &group : groups_)
    idle = group->wait_idle(until) && idle;
  return idle;
}

void EventSurfaces::stop(Clock::time_point until) {
  for (auto &live : live_)
    if (live.listener) live.listener->stop();
  for (const auto &group : groups_)
    group->stop(until);
}

} // namespace trellis::host
