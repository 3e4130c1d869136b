// Heartbeats of job workers and what counts as present (08 §5.4, §10, §15).
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

struct WorkerHeartbeat {
  std::string service, job_type, instance_id;
  std::optional<std::int64_t> concurrency;
  std::optional<std::string> version;
  std::string timestamp; // as written; one that is no time counts as the epoch
  bool operator==(const WorkerHeartbeat &) const = default;
};

inline constexpr std::int64_t kHeartbeatIntervalMs = 30'000;
inline constexpr std::int64_t kHeartbeatFreshMs = 90'000;

// "trellis.jobs.workers.<service>.<jobType>.<instanceId>.heartbeat"
std::string heartbeat_subject(const WorkerHeartbeat &heartbeat);
std::string to_json(const WorkerHeartbeat &heartbeat);
// Error "invalid_record". Null optional members count as absent, unknown ones are ignored.
Result<WorkerHeartbeat> parse_heartbeat(std::string_view text);
// The same for a message as it arrived: the subject must be exactly that of the payload, else error "subject_mismatch".
Result<WorkerHeartbeat> parse_heartbeat(std::string_view subject, std::string_view text);

// Whether `next` takes the place of `stored`, of the same worker: unless it is older.
bool replaces(const WorkerHeartbeat &next, const WorkerHeartbeat &stored);
bool is_fresh_worker(const WorkerHeartbeat &heartbeat, std::int64_t now_ns);

} // namespace trellis
