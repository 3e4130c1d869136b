#include "wire/health_report.h"

#include "contracts/canonical.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"
#include <algorithm>
#include <array>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 3> kStatuses = {"healthy", "degraded", "unhealthy"};
constexpr std::array<std::string_view, 4> kRuntimes = {"deno", "node", "rust", "unknown"};

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const std::array<std::string_view, N> &names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

std::optional<HealthStatus> status_of(std::string_view name) {
  return value_of<HealthStatus>(kStatuses, name);
}
std::optional<ParticipantRuntime> runtime_of(std::string_view name) {
  return value_of<ParticipantRuntime>(kRuntimes, name);
}
std::optional<bool> ok_of(std::string_view name) {
  if (name == "ok") return true;
  return name == "failed" ? std::optional(false) : std::nullopt;
}
std::optional<bool> is_device_of(std::string_view name) {
  if (name == "device") return true;
  return name == "service" ? std::optional(false) : std::nullopt;
}

std::int64_t failed_count(const std::vector<HealthCheck> &checks) {
  return std::count_if(checks.begin(), checks.end(), [](const HealthCheck &check) { return !check.ok; });
}

HealthCheck read_check(const RecordReader &reader) {
  HealthCheck check;
  check.name = reader.text("name");
  check.ok = reader.word("status", ok_of, "ok or failed");
  check.latency_ms = reader.number("latencyMs");
  check.error = reader.optional_text("error");
  check.summary = reader.optional_text("summary");
  check.info = reader.optional_json_object("info");
  return check;
}

HealthService read_service(const RecordReader &reader) {
  HealthService service;
  service.name = reader.text("name");
  service.is_device = reader.word("kind", is_device_of, "service or device");
  service.instance_id = reader.text("instanceId");
  service.contract_id = reader.text("contractId");
  service.contract_digest = reader.text("contractDigest");
  service.started_at = reader.time("startedAt");
  service.publish_interval_ms = reader.integer("publishIntervalMs", 1);
  service.runtime = reader.word("runtime", runtime_of, "deno, node, rust or unknown");
  service.runtime_version = reader.optional_text("runtimeVersion");
  service.version = reader.optional_text("version");
  service.info = reader.optional_json_object("info");
  return service;
}

HealthHeartbeat read_heartbeat(const RecordReader &reader) {
  HealthHeartbeat heartbeat;
  const RecordReader header = reader.object("header");
  heartbeat.event_id = header.text("id");
  heartbeat.event_time = header.text("time");
  heartbeat.service = read_service(reader.object("service"));
  heartbeat.status = reader.word("status", status_of, "healthy, degraded or unhealthy");
  heartbeat.summary = reader.optional_text("summary");
  heartbeat.checks = reader.list("checks", read_check);
  return heartbeat;
}

HealthReport read_report(const RecordReader &reader) {
  return {reader.word("status", status_of, "healthy, degraded or unhealthy"), reader.text("service"),
          reader.time("timestamp"), reader.list("checks", read_check)};
}

std::string check_json(const HealthCheck &check) {
  JsonObjectText out;
  out.text("name", check.name).text("status", check.ok ? "ok" : "failed");
  out.json("latencyMs", ecmascript_number(check.latency_ms));
  add_text(out, "error", check.error);
  add_text(out, "summary", check.summary);
  add_json(out, "info", check.info);
  return out.str();
}

std::string service_json(const HealthService &service) {
  JsonObjectText out;
  out.text("name", service.name).text("kind", service.is_device ? "device" : "service");
  out.text("instanceId", service.instance_id).text("contractId", service.contract_id);
  out.text("contractDigest", service.contract_digest).text("startedAt", service.started_at);
  out.number("publishIntervalMs", service.publish_interval_ms);
  out.text("runtime", kRuntimes.at(static_cast<std::size_t>(service.runtime)));
  add_text(out, "runtimeVersion", service.runtime_version);
  add_text(out, "version", service.version);
  add_json(out, "info", service.info);
  return out.str();
}

// `info` with the three members of `service` in place of its own.
std::string annotated(const std::optional<std::string> &info, const HealthService &service) {
  JsonObjectText out;
  if (const auto parsed = parse_json(info.value_or("{}")); parsed && parsed->IsObject())
    for (const auto &member : parsed->GetObject()) {
      const auto name = text_of(member.name);
      if (name != "service" && name != "contractId" && name != "contractDigest") out.json(name, to_json(member.value));
    }
  out.text("service", service.name).text("contractId", service.contract_id);
  return out.text("contractDigest", service.contract_digest).str();
}

} // namespace

HealthCheck failed_check(std::string name, const std::string &message, std::string_view error_type,
                         std::string_view error_id) {
  JsonObjectText info;
  info.text("errorType", error_type);
  if (!error_id.empty()) info.text("errorId", error_id);
  return {std::move(name), false, 0, message, message, info.str()};
}

std::string_view health_status_name(HealthStatus status) {
  return kStatuses.at(static_cast<std::size_t>(status));
}

HealthStatus health_status(const std::vector<HealthCheck> &checks) {
  const auto failed = static_cast<std::size_t>(failed_count(checks));
  if (failed == 0) return HealthStatus::healthy;
  return failed == checks.size() ? HealthStatus::unhealthy : HealthStatus::degraded;
}

std::optional<std::string> health_summary(const std::vector<HealthCheck> &checks) {
  const auto failed = failed_count(checks);
  if (failed == 0) return std::nullopt;
  return std::to_string(failed) + (failed == 1 ? " check failing" : " checks failing");
}

void annotate_failed(std::vector<HealthCheck> &checks, const HealthService &service) {
  for (auto &check : checks)
    if (!check.ok) check.info = annotated(check.info, service);
}

HealthHeartbeat make_heartbeat(std::string event_id, std::string event_time, HealthService service,
                               std::vector<HealthCheck> checks) {
  annotate_failed(checks, service);
  const HealthStatus status = health_status(checks);
  auto summary = health_summary(checks);
  return {std::move(event_id), std::move(event_time), std::move(service), status,
          std::move(summary),  std::move(checks)};
}

std::string to_json(const HealthHeartbeat &heartbeat) {
  JsonObjectText out;
  out.json("header", JsonObjectText().text("id", heartbeat.event_id).text("time", heartbeat.event_time).str());
  out.json("service", service_json(heartbeat.service)).text("status", health_status_name(heartbeat.status));
  add_text(out, "summary", heartbeat.summary);
  return out.json("checks", json_array(heartbeat.checks, check_json)).str();
}

Result<HealthHeartbeat> parse_health_heartbeat(std::string_view text) {
  return read_record(text, read_heartbeat);
}

HealthReport make_health_report(const HealthService &service, std::string timestamp, std::vector<HealthCheck> checks) {
  annotate_failed(checks, service);
  const HealthStatus status = health_status(checks);
  return {status, service.name, std::move(timestamp), std::move(checks)};
}

std::string to_json(const HealthReport &report) {
  return JsonObjectText()
      .text("status", health_status_name(report.status))
      .text("service", report.service)
      .text("timestamp", report.timestamp)
      .json("checks", json_array(report.checks, check_json))
      .str();
}

Result<HealthReport> parse_health_report(std::string_view text) {
  return read_record(text, read_report);
}

std::string health_method(std::string_view runtime_name) {
  std::string out;
  bool word_starts = true;
  for (const char c : runtime_name) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool alphanumeric = lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric) out += word_starts && lower ? static_cast<char>(c - 'a' + 'A') : c;
    word_starts = !alphanumeric;
  }
  return out + ".Health";
}

bool is_health_method(std::string_view rpc) {
  const auto point = rpc.find('.');
  return point != std::string_view::npos && health_method(rpc.substr(0, point)) == rpc;
}

} // namespace trellis
