#include "rpc_surfaces.h"

#include "abi_values.h"
#include "contracts/manifest.h"
#include "nats/nats_transport.h"
#include <algorithm>
#include <atomic>
#include <utility>

namespace trellis::host {
namespace {

// 05 §2.1: these are answered without proof or session.
bool is_unauthenticated(std::string_view name) {
  return name == "Auth.Requests.Validate" || name == "Auth.Devices.ConnectInfo.Get";
}

} // namespace

std::function<void()> when_all(std::size_t count, std::function<void()> done) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(count);
  return [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
}

RpcSurfaces::RpcSurfaces(SurfaceContext context)
    : context_(std::move(context)), calls_(context_.config.limits, context_.service, context_.validator,
                                           context_.plugin.self, context_.workers, context_.report) {}

Result<void> RpcSurfaces::open() {
  for (std::uint32_t i = 0; i < context_.plugin.handler_count; ++i) {
    const auto &handler = *context_.plugin.handlers[i];
    if (handler.kind != TRELLIS_SURFACE_RPC || !TRELLIS_HAS(trellis_handler, &handler, rpc) || !handler.rpc) continue;
    const auto contract = std::ranges::find(context_.contracts, view(handler.contract_id), &Manifest::id);
    if (auto done = serve(*contract, view(handler.name), handler.rpc, nullptr); !done) return done;
  }
  return {};
}

Result<void> RpcSurfaces::serve(const Manifest &contract, std::string_view name, trellis_rpc_fn handler, void *self) {
  auto method = compile_rpc(contract, name);
  if (!method) return tl::make_unexpected(method.error());
  const bool is_control_plane = context_.config.role == PluginRole::control_plane;
  method->unauthenticated = is_control_plane && is_unauthenticated(method->name);
  const std::string subject = wildcard_subject(method->subject); // a template's tokens are each caller's (06 §1.1)
  auto metrics =
      std::make_shared<RpcServerMetrics>(context_.metrics.runtime(), context_.metrics.errors(), method->name);
  const auto &route = routes_.emplace_back(
      std::make_shared<const RpcRoute>(RpcRoute{std::move(*method), handler, self, std::move(metrics)}));
  auto subscription = context_.transport.subscribe(
      subject, subject, [this, route](MessagePtr message) { calls_.arrive(route, std::move(message)); });
  if (!subscription) return tl::make_unexpected(subscription.error());
  subscriptions_.push_back(std::move(*subscription));
  return {};
}

void RpcSurfaces::drain(std::function<void()> done) {
  if (subscriptions_.empty()) return done();
  const auto one = when_all(subscriptions_.size(), std::move(done));
  for (auto &subscription : subscriptions_)
    subscription->drain(one);
}

bool RpcSurfaces::wait_idle(Clock::time_point until) {
  subscriptions_.clear();
  return calls_.wait_idle(until);
}

void RpcSurfaces::stop(Clock::time_point until) {
  calls_.stop(until);
}

} // namespace trellis::host
