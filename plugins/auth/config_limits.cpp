#include "config_limits.h"

#include "config_reader.h"

namespace trellis::auth {
namespace {

void take(const ConfigReader &reader, std::string_view name, std::int64_t &value, std::int64_t least,
          std::int64_t most) {
  value = reader.integer(name, least, most).value_or(value);
}

constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
constexpr std::int64_t kMostTime = 3600000; // an hour
constexpr std::int64_t kMostThreads = 256;
constexpr std::int64_t kMostWaiting = 1 << 20; // entries of a queue
constexpr std::int64_t kMostDays = 36500;

} // namespace

void read_limits(const ConfigReader &limits, Limits &out) {
  take(limits, "httpBodyBytes", out.http_body_bytes, 1024, kMostBytes);
  take(limits, "httpHeaderBytes", out.http_header_bytes, 1024, kMostBytes);
  take(limits, "httpConnections", out.http_connections, 1, kMostWaiting);
  take(limits, "httpTimeoutMs", out.http_timeout_ms, 100, kMostTime);
  take(limits, "httpWorkers", out.http_workers, 1, 4096);
  take(limits, "passwordThreads", out.password_threads, 1, kMostThreads);
  take(limits, "passwordQueue", out.password_queue, 1, kMostWaiting);
  take(limits, "calloutConcurrent", out.callout_concurrent, 1, kMostWaiting);
  take(limits, "calloutPerAddress", out.callout_per_address, 1, kMostWaiting);
  take(limits, "calloutPerServer", out.callout_per_server, 1, kMostWaiting);
  take(limits, "calloutWaiting", out.callout_waiting, 0, kMostWaiting);
  take(limits, "calloutThreads", out.callout_threads, 1, kMostThreads);
  take(limits, "calloutQueue", out.callout_queue, 1, kMostWaiting);
  take(limits, "policyQueue", out.policy_queue, 1, kMostWaiting);
  take(limits, "disconnectQueue", out.disconnect_queue, 1, kMostWaiting);
  take(limits, "connectionBacklog", out.connection_backlog, 0, kMostWaiting);
  take(limits, "validationCache", out.validation_cache, 1, std::int64_t{1} << 24);
  take(limits, "jetstreamWaitMs", out.jetstream_wait_ms, 0, kMostTime);
}

void read_retention(const ConfigReader &retention, Retention &out) {
  take(retention, "auditDays", out.audit_days, 0, kMostDays);
  take(retention, "auditRows", out.audit_rows, 0, 1000000000);
  take(retention, "reconciliationEventDays", out.reconciliation_event_days, 0, kMostDays);
}

} // namespace trellis::auth
