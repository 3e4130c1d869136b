// Counts of the rpcs that a plugin serves and calls.
//
//   trellis.rpc.server.requests  {rpc.method, trellis.outcome}   each request that arrived, once it was answered
//   trellis.rpc.server.duration  {rpc.method}                    from its arrival to its answer
//   trellis.rpc.client.requests  {rpc.method, trellis.outcome}   each call
//   trellis.rpc.client.duration  {rpc.method}
//
// and of their failures in trellis.errors. A served rpc has its series from its wiring on, so that counting an answered
// request is two additions and no lock.
#pragma once

#include "runtime/metrics_errors.h"
#include "runtime/rpc_client.h"
#include "runtime/rpc_service.h"
#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace trellis {

// Of one served rpc. [thread-safe]
class RpcServerMetrics {
public:
  // `set` and `errors` outlive it. What has no room in the set isn't counted.
  RpcServerMetrics(MetricSet &set, ErrorCounter &errors, std::string method);

  // The reply to a request, and how long that took.
  void count(const RpcReply &reply, std::chrono::nanoseconds took);
  // A reply that was too large to be sent, after it was counted.
  void count_unsent();

private:
  static constexpr std::size_t kOutcomes = 6;

  ErrorCounter &errors_;
  const std::string method_;
  std::array<Counter *, kOutcomes> requests_{}; // nullptr: no room
  Histogram *duration_ = nullptr;
};

// How long a plugin took to answer so far, all rpcs together: the upper bounds of the buckets in seconds, and how many
// requests lie in each, the last one beyond all bounds. Both empty when it serves none.
struct RpcDurations {
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
};
RpcDurations served_durations(const MetricSet &set);

// Of all rpcs that a plugin calls, as an observer of its RpcClient. [thread-safe]
class RpcClientMetrics {
public:
  RpcClientMetrics(MetricSet &set, ErrorCounter &errors) : set_(set), errors_(errors) {}
  void count(const RpcMethod &method, const CallResult &result, std::chrono::nanoseconds took);

private:
  MetricSet &set_;
  ErrorCounter &errors_;
};

} // namespace trellis
