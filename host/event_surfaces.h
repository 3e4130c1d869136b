// The events that a plugin listens to (runtime/event_wiring.h), on its workers and in its words.
#pragma once

#include "runtime/event_wiring.h"
#include "surface_kind.h"

namespace trellis::host {

class EventSurfaces : public SurfaceKind {
public:
  // `bindings`: `resources` of the policy's answer, JSON, or "".
  EventSurfaces(const SurfaceContext &context, std::string bindings);

  Result<void> open() override { return wiring_.open(); }
  void drain(std::function<void()> done) override { wiring_.drain(std::move(done)); }
  bool wait_idle(Clock::time_point until) override { return wiring_.wait_idle(until); }
  void stop(Clock::time_point until) override { wiring_.stop(until); }
  // [network thread] The plugin's transport has a connection again.
  void connected() { wiring_.connected(); }
  // [thread-safe] Contracts that it waits for may be known now.
  void contracts_changed() { wiring_.contracts_changed(); }

private:
  EventWiring wiring_;
};

} // namespace trellis::host
