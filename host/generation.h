// One running copy of a plugin: loaded code, instance, connection, subscriptions, calls. A replaced plugin is a new
// generation beside the old one.
//
// start: load, create, connect, start, subscribe, in this order: the plugin's own start has returned before its first
// request arrives, so a slow start loses none. stop: unsubscribe, answer what is in flight, stop, destroy. An instance
// whose handler never came back is neither destroyed nor freed: it is left behind, counted, and said.
//
// The control plane is a generation like the others, with two differences: it has its privileged connections in place
// of one of its own, and between the steps it becomes, and ends being, what decides for everybody else.
#pragma once

#include "artifact/artifact.h"
#include "host_config/config.h"
#include "hosting/calls.h"
#include "hosting/contract_directory.h"
#include "hosting/loader.h"
#include "isolation/isolated_plugin.h"
#include "last_problem.h"
#include "policy/plugin_policy.h"
#include "policy/policy.h"
#include "runtime/metrics_directory.h"
#include "runtime/metrics_rpc.h"
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace trellis::host {

// What all generations share. References outlive every generation.
struct HostParts {
  const Log &log;
  NatsLoop &loop;
  Policy &policy;
  const ContractDirectory &contracts;
  const Config &config;
  PluginPolicy &control_plane; // what a generation with that role attaches itself to
  MetricsDirectory &metrics;
  // [thread-safe] A server refused this plugin's credentials: policy has to be asked again.
  std::function<void(const std::string &plugin)> on_denied;
  // [thread-safe] An isolated plugin crashed too often and stays down.
  std::function<void(const std::string &plugin, const std::string &why)> on_quarantined;
};

class Generation {
public:
  // `code`: of this artifact, whose instance has ended (idle_code of an earlier generation); empty: a copy is loaded.
  // `bindings`: `resources` of the policy's answer, JSON, or "".
  Generation(HostParts parts, PluginConfig config, std::shared_ptr<const Artifact> artifact, SessionKey key,
             std::string bindings, LoadedCode code = {});
  // Call stop() first.
  ~Generation();
  Generation(const Generation &) = delete;
  Generation &operator=(const Generation &) = delete;

  // [may block] A start that fails has stopped again. Errors: those of load_code; "create_failed", "start_failed" with
  // the plugin's words; "handlers_disagree" naming each surface; "host_only_extension" for one that only the control
  // plane may offer; "cancelled" when `stop` was requested while it waited for NATS; "threads" when the system has none
  // to give. Of the control plane also those of PrivilegedConnections::open, and "extension_missing".
  Result<void> start(std::stop_token stop);
  // [may block] Drains until `deadline`. False when a handler never came back: this object must then live as long as
  // the process.
  bool stop(std::chrono::steady_clock::time_point deadline);
  // After stop, or a start that failed: whether that call left the instance behind, and else the code, which another
  // instance can be made in. Empty when none was loaded.
  bool left_behind() const;
  LoadedCode idle_code() const;
  // New credentials, without losing a request.
  void rotate();

  const Manifest &manifest() const;
  const Artifact &artifact() const;
  const PluginConfig &config() const;
  const SessionKey &key() const;
  const std::string &bindings() const;
  // Brings the plugin's metrics up to date. [thread-safe] once start has returned, like all that follow.
  void sample_metrics();
  Calls::Counts counts() const;
  RpcDurations durations() const;
  struct Connection {
    ConnectionState state;
    NatsTransport::Counts counts;
  };
  std::optional<Connection> connection() const; // what its surfaces are wired on
  std::optional<Problem> last_problem() const;
  std::optional<isolation::IsolatedPlugin::Status> isolation() const; // of a plugin in a process of its own

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis::host
