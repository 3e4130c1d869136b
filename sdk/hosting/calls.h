// The requests of one plugin, from arrival to answer: deadlines, and the call handles that the C ABI hands out. They
// run on the plugin's Workers.
//
// Each request has one slot in a table from its arrival on; a handle is the slot's index with a generation, so a late
// or second answer finds nothing. When the deadline passes the caller is answered at once, but the request's memory
// stays until the plugin lets go of it: it may still be reading.
#pragma once

#include "contracts/result.h"
#include "host_config/call_limits.h"
#include "runtime/metrics_rpc.h"
#include "runtime/rpc_service.h"
#include "transport/transport.h"
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <trellis/plugin.h>

namespace trellis::host {

class Workers;

// One wired rpc: what it is, and the function for it.
struct RpcRoute {
  RpcMethod method;
  trellis_rpc_fn handler = nullptr;
  void *self = nullptr;                           // its first argument; nullptr: the plugin's
  std::shared_ptr<RpcServerMetrics> metrics = {}; // counts its requests, if given
};

// What happened, for the log and the metrics; `plugin` is added by the receiver, which is called from any thread and
// must not block.
struct CallEvent {
  enum class Kind {
    overloaded,
    deadline,
    bad_output,
    bad_error,
    send_failed,
    released,
    event_undecodable,
    event_failed,
    event_lost,
    event_dropped,
    event_waits,
    group_restarting,
    too_many_streams,
  } kind;
  std::string surface;
  std::string detail;
  std::string request_id = {}, trace_id = {}; // as far as known
};

class Calls {
public:
  using OnEvent = std::function<void(const CallEvent &)>;
  using Clock = std::chrono::steady_clock;

  // `workers` outlives this object.
  Calls(CallLimits limits, ServiceIdentity service, std::shared_ptr<Validator> validator, void *plugin_self,
        Workers &workers, OnEvent on_event);
  // Call stop() first; this does it without waiting. With a handler that is still running, keep the object: its plugin
  // may yet call complete or fail.
  ~Calls();
  Calls(const Calls &) = delete;
  Calls &operator=(const Calls &) = delete;

  // [network thread] Queues the request, or answers "overloaded" at once. `route` outlives the workers.
  void arrive(std::shared_ptr<const RpcRoute> route, MessagePtr message);

  // [thread-safe] The ABI's functions of the same names.
  trellis_status complete(trellis_call call, std::string_view output);
  trellis_status fail(trellis_call call, const HandlerError &error);
  trellis_status release(trellis_call call);
  trellis_status state(trellis_call call) const;

  // [may block] Waits until the reply to every request is on its way; false when `until` came first.
  bool wait_idle(Clock::time_point until);
  // [may block] Answers what is left with an error. False when a handler is still running after `until`.
  bool stop(Clock::time_point until);

  struct Counts {
    std::size_t waiting = 0, running = 0, unanswered = 0, abandoned = 0;
    std::uint64_t answered = 0, overloaded = 0, expired = 0;
  };
  Counts counts() const;

private:
  struct State; // shared with the workers, whose threads may outlive this object when a handler is stuck
  std::shared_ptr<State> state_;
};

} // namespace trellis::host
