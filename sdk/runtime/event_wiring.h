// The events that a service listens to: live ones on core subscriptions, durable ones through the consumer groups of
// its contract (06 §6.3, §6.4).
//
// What only shows at run time (a contract that isn't known yet, a group without a consumer or with an event that nobody
// handles) is reported and leaves the rest running: a group that doesn't start loses nothing, its events wait in the
// stream. A listener of a contract that becomes known later is wired then: contracts_changed().
#pragma once

#include "runtime/event_group.h"
#include "runtime/event_listener.h"
#include "runtime/event_publishing.h"
#include <mutex>

namespace trellis {

struct EventRegistration {
  std::string contract_id, name;
  std::string group;        // "": live
  std::string subject_data; // live: a JSON object that fixes tokens of the subject, or ""
  std::function<Result<void>(const EventDelivery &)> handle;
};

struct EventWiringConfig {
  const std::vector<Manifest> &own; // outlives the wiring
  FindContract find;
  std::vector<EventRegistration> registrations; // in registration order
  std::string bindings;                         // `resources` of the policy's answer, JSON, or ""
  std::string inbox_prefix;
  std::size_t max_waiting = 256; // events before one live listener
  PostEventTask post;
  OnEventReport report;
  MetricSet *metrics = nullptr; // outlives the wiring
};

class EventWiring {
public:
  using Clock = std::chrono::steady_clock;

  // `transport` outlives this object.
  EventWiring(Transport &transport, EventWiringConfig config) : transport_(transport), config_(std::move(config)) {}

  // Subscribes, and starts the groups. Errors: those of listener_subject, compile_event and Transport::subscribe.
  Result<void> open();
  // [network thread] The transport has a connection again.
  void connected();
  // [thread-safe] What wasn't known may be known now; looked at on a worker.
  void contracts_changed();
  // Takes nothing new; `done` runs when all live subscriptions have handed over what had arrived.
  void drain(std::function<void()> done);
  // [may block] Waits until everything that was taken is finished; false when `until` came first.
  bool wait_idle(Clock::time_point until);
  // [may block] Ends what is left.
  void stop(Clock::time_point until);

private:
  struct Live {
    const EventRegistration *registration = nullptr;
    std::unique_ptr<EventListener> listener; // nullptr: its contract isn't known yet
    std::unique_ptr<Subscription> subscription;
  };

  Result<EventHandler> handler_of(const EventRegistration &registration) const;
  Result<void> subscribe(Live &live);
  void open_group(const std::string &group);
  void open_known();

  Transport &transport_;
  const EventWiringConfig config_;
  std::mutex mutex_; // guards what follows
  std::map<std::string, EventConsumer, std::less<>> consumers_;
  std::vector<Live> live_;
  std::vector<std::string> waiting_groups_; // for a contract
  std::vector<std::unique_ptr<EventGroup>> groups_;
  bool open_ = false;
};

} // namespace trellis
