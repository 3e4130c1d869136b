// The events that a plugin listens to: live ones on core subscriptions, durable ones through the consumer groups of its
// contract (06 §6.3, §6.4).
//
// Handlers run on the plugin's workers. What a listener may name was checked with the table; what only shows at run
// time (a contract that this host doesn't know yet, a group without a consumer or with an event that nobody handles) is
// said in the log and leaves the rest of the plugin running: a group that doesn't start loses nothing, its events wait
// in the stream. A listener of a contract that becomes known later is wired when the connection is next made anew,
// which the host does for everybody who uses a contract that changed.
#pragma once

#include "runtime/event_group.h"
#include "runtime/event_listener.h"
#include "surface_kind.h"
#include "transport/transport.h"
#include <mutex>
#include <string>
#include <vector>

namespace trellis::host {

class EventSurfaces : public SurfaceKind {
public:
  // `bindings`: `resources` of the policy's answer, JSON, or "".
  EventSurfaces(SurfaceContext context, std::string bindings);

  Result<void> open() override;
  void drain(std::function<void()> done) override;
  bool wait_idle(Clock::time_point until) override;
  void stop(Clock::time_point until) override;

  // [network thread] The plugin's transport has a new connection.
  void connected();

private:
  struct Live {
    const trellis_handler *handler = nullptr;
    std::unique_ptr<EventListener> listener; // nullptr: its contract isn't known yet
    std::unique_ptr<Subscription> subscription;
  };

  Result<std::shared_ptr<const EventType>> type_of(const trellis_handler &handler) const;
  EventHandler event_handler(const trellis_handler &handler, std::shared_ptr<const EventType> type) const;
  Result<void> subscribe(Live &live);
  void open_group(const std::string &group, const std::map<std::string, EventConsumer, std::less<>> &consumers);
  void open_known(); // with the lock: those whose contract was unknown
  PostEventTask poster() const;
  OnEventReport reporter() const;

  const SurfaceContext context_;
  const std::string bindings_;
  std::mutex mutex_; // guards what follows
  std::vector<Live> live_;
  std::vector<std::string> waiting_groups_; // for a contract
  std::vector<std::unique_ptr<EventGroup>> groups_;
  bool open_ = false;
};

} // namespace trellis::host
