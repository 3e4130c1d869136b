// Tells how a participant is: the heartbeat event at an interval, and the report of the rpc <Service>.Health (06 §8).
//
// One thread waits for all of it: a heartbeat that takes longer than its interval makes the next one fall out, and any
// number of requests that come during a round of checks share the next round. A heartbeat gives its checks up when the
// next one is due; who asks waits for the same checks on, up to their full time, even if heartbeats fall out meanwhile.
// It is one mostly sleeping thread a participant, so that one whose checks or connection hang delays nobody else's.
#pragma once

#include "contracts/result.h"
#include "runtime/health_checks.h"
#include "transport/transport.h"
#include "wire/health_report.h"
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace trellis {

inline constexpr std::chrono::milliseconds kHealthCheckLimit{5000}; // for one check, from its start
inline constexpr std::chrono::milliseconds kNatsCheckLimit{2000};
inline constexpr std::chrono::milliseconds kHeartbeatAckLimit{5000};

class HealthReporter {
public:
  struct Options {
    HealthService service;  // publish_interval_ms included; the checks bring the info
    bool heartbeats = true; // whether to publish any
    // Runs the check of that index on another thread (HealthChecks::run).
    std::function<bool(std::size_t)> post;
    // JSON object for service.info as of the last round, or nullopt. May be empty.
    std::function<std::optional<std::string>()> info = {};
    // [the reporter's thread] After each round of checks, and after each attempt to publish. May be empty.
    std::function<void(const std::vector<HealthCheck> &)> on_checks = {};
    std::function<void(const Result<void> &)> on_published = {};
  };

  // Makes the thread; nothing happens before start(). `hidden`: so many of the last checks aren't reported (their work
  // is a side effect). `transport` outlives it.
  HealthReporter(Transport &transport, std::shared_ptr<HealthChecks> checks, std::size_t hidden, Options options);
  // As stop().
  ~HealthReporter();
  HealthReporter(const HealthReporter &) = delete;
  HealthReporter &operator=(const HealthReporter &) = delete;

  // The first heartbeat goes out at once.
  void start();
  // [thread-safe] `done` gets the report as JSON on the reporter's thread, or never after stop().
  void request(std::function<void(const std::string &report)> done);
  // [thread-safe] No more heartbeats; reports go on.
  void end_heartbeats();
  // [may block] Waits until no checks run for it; false when `until` came first.
  bool wait_idle(std::chrono::steady_clock::time_point until);
  // [may block] Briefly. Waits for no check.
  void stop();

private:
  struct State;
  std::shared_ptr<State> state_; // shared with acknowledgements that come late
};

// The event as it is published (06 §6.2): acknowledged by the stream, with its id for the stream to know it again.
// `done` runs once.
void publish_heartbeat(Transport &transport, const HealthHeartbeat &heartbeat, std::chrono::milliseconds limit,
                       std::function<void(Result<void>)> done);

} // namespace trellis
