// Health: what a participant's checks gave, as heartbeat event and as answer of the health RPC (06 §8).
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

inline constexpr char kHeartbeatSubject[] = "events.v1.Health.Heartbeat";
inline constexpr std::int64_t kHealthIntervalMs = 30'000;

struct HealthCheck {
  std::string name;
  bool ok = true;
  double latency_ms = 0;
  std::optional<std::string> error, summary;
  std::optional<std::string> info; // JSON object
  bool operator==(const HealthCheck &) const = default;
};
// A check that threw or returned an error; `error_id` is "" when the error has none.
HealthCheck failed_check(std::string name, const std::string &message, std::string_view error_type,
                         std::string_view error_id);

enum class HealthStatus { healthy, degraded, unhealthy };
std::string_view health_status_name(HealthStatus status);
// Healthy when nothing failed, also without checks; unhealthy when everything failed.
HealthStatus health_status(const std::vector<HealthCheck> &checks);
// "1 check failing", "2 checks failing"; nullopt when none failed.
std::optional<std::string> health_summary(const std::vector<HealthCheck> &checks);

enum class ParticipantRuntime { deno, node, rust, unknown }; // a closed set: ours is unknown
struct HealthService {
  std::string name;
  bool is_device = false; // kind "device", else "service"
  std::string instance_id, contract_id, contract_digest, started_at;
  std::int64_t publish_interval_ms = kHealthIntervalMs;
  ParticipantRuntime runtime = ParticipantRuntime::unknown;
  std::optional<std::string> runtime_version, version;
  std::optional<std::string> info; // JSON object
  bool operator==(const HealthService &) const = default;
};

// Says in the info of each failed check whose it is, as the runtime must before it reports (06 §8.1).
void annotate_failed(std::vector<HealthCheck> &checks, const HealthService &service);

struct HealthHeartbeat {
  std::string event_id, event_time; // the event's header (06 §6.1)
  HealthService service;
  HealthStatus status = HealthStatus::healthy;
  std::optional<std::string> summary;
  std::vector<HealthCheck> checks;
  bool operator==(const HealthHeartbeat &) const = default;
};
HealthHeartbeat make_heartbeat(std::string event_id, std::string event_time, HealthService service,
                               std::vector<HealthCheck> checks);
std::string to_json(const HealthHeartbeat &heartbeat);
// Error "invalid_record". Unknown members are ignored; the status is taken as sent.
Result<HealthHeartbeat> parse_health_heartbeat(std::string_view text);

struct HealthReport { // output of "<Service>.Health"
  HealthStatus status = HealthStatus::healthy;
  std::string service, timestamp;
  std::vector<HealthCheck> checks;
  bool operator==(const HealthReport &) const = default;
};
HealthReport make_health_report(const HealthService &service, std::string timestamp, std::vector<HealthCheck> checks);
std::string to_json(const HealthReport &report);
Result<HealthReport> parse_health_report(std::string_view text);

// The method that a runtime called `name` answers by itself: "rt-billing" -> "RtBilling.Health" (06 §8.2).
std::string health_method(std::string_view runtime_name);
// Whether it is that of some runtime.
bool is_health_method(std::string_view rpc);

} // namespace trellis
