// The rpcs of a plugin: one queue subscription each, requests to Calls.
#pragma once

#include "surface_kind.h"
#include "transport/transport.h"

namespace trellis::host {

class RpcSurfaces : public SurfaceKind {
public:
  explicit RpcSurfaces(SurfaceContext context);

  Result<void> open() override;
  void drain(std::function<void()> done) override;
  bool wait_idle(Clock::time_point until) override;
  void stop(Clock::time_point until) override;

  Calls &calls() { return calls_; }
  // Serves an rpc of `contract` with a function of the host's, in place of a handler of the plugin. After open().
  Result<void> serve(const Manifest &contract, std::string_view name, trellis_rpc_fn handler, void *self);

private:
  const SurfaceContext context_;
  Calls calls_;
  std::vector<std::shared_ptr<const RpcRoute>> routes_; // outlive the workers, who name them
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

} // namespace trellis::host
