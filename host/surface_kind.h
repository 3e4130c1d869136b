// One kind of surface of a running generation: its rpcs, its event listeners, its feeds, its health.
//
// A generation holds a list of them and knows nothing of what each does: it opens them after the plugin's own start,
// drains them before its stop, and gives them the same context. What a kind wires is decided by the contract and the
// handler table, which agree (table_disagreements).
#pragma once

#include "contracts/manifest.h"
#include "host_config/config.h"
#include "hosting/calls.h"
#include "runtime/metrics_directory.h"
#include "runtime/rpc_service.h"
#include "runtime/validator.h"
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <trellis/plugin.h>
#include <vector>

namespace trellis {
class NatsTransport;
class SessionKey;
} // namespace trellis

namespace trellis::host {

class Workers;
struct HostParts;

// All of it outlives the surfaces.
struct SurfaceContext {
  const HostParts &host;
  const PluginConfig &config;
  const std::vector<Manifest> &contracts; // the plugin's own: one, unless it is the control plane
  const trellis_plugin &plugin;
  const SessionKey &key;
  NatsTransport &transport;
  Workers &workers;
  std::shared_ptr<Validator> validator;
  ServiceIdentity service;
  PluginMetrics &metrics;
  std::function<void(const CallEvent &)> report; // [thread-safe] a log line, not repeated in a flood
};

class SurfaceKind {
public:
  using Clock = std::chrono::steady_clock;

  virtual ~SurfaceKind() = default;
  // [may block] The plugin has started: subscribe to everything. The server has the subscriptions once the generation
  // has flushed the connection.
  virtual Result<void> open() = 0;
  // Take nothing new; `done` runs when what had arrived was handed over, on any thread, maybe inside the call. Also
  // called when open() failed or never ran.
  virtual void drain(std::function<void()> done) = 0;
  // [may block] Waits until everything that was taken is finished; false when `until` came first.
  virtual bool wait_idle(Clock::time_point until) = 0;
  // [may block] After the plugin's stop: end what is left, with an error for whoever waits.
  virtual void stop(Clock::time_point until) = 0;
  // New credentials for connections that the kind has of its own.
  virtual void rotate() {}
};

// Counts drains that are under way and tells when the last has finished.
std::function<void()> when_all(std::size_t count, std::function<void()> done);

} // namespace trellis::host
