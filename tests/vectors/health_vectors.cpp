// health.json (vectors README §3.3; 06 §8, §9.1).
#include "records_vectors.h"
#include "wire/error_envelope.h"
#include "wire/error_metric.h"
#include "wire/health_report.h"
#include "wire/ulid.h"

namespace trellis::vectors {
namespace {

constexpr char kNow[] = "2026-01-01T00:00:00.000Z";

// The text that an error of this type has when nobody gave it another (06 §5).
std::string message_of(const JsonValue &error) {
  const auto type = string_member(error, "type");
  if (const auto message = string_member(error, "message"); !message.empty()) return std::string(message);
  if (type == "KVError" || type == "StoreError" || type == "TransferError")
    return std::string(type.substr(0, type.size() - 5)).append(" ").append(string_member(error, "operation")) +
           " failed";
  if (type == "AuthError") return auth_error(string_member(error, "reason")).message;
  if (type == "UnexpectedError") return unexpected_error({}).message;
  if (type == "ValidationError") return validation_error({}).message;
  throw std::runtime_error("an error without a message: " + to_json(error));
}

HealthCheck check_of_object(const std::string &name, const JsonValue &value) {
  HealthCheck check;
  check.name = name;
  for (const auto &member : value.GetObject()) {
    const auto member_name = text_of(member.name);
    if (member_name == "status")
      check.ok = text_of(member.value) == "ok";
    else if (member_name == "summary")
      check.summary = text_of(member.value);
    else if (member_name == "error")
      check.error = text_of(member.value);
    else if (member_name == "info")
      check.info = to_json(member.value);
    else if (member_name == "latencyMs" && member.value.IsNumber())
      check.latency_ms = member.value.GetDouble();
    else
      throw std::runtime_error("an unknown member of a check: " + std::string(member_name));
  }
  return check;
}

HealthCheck check_of(const JsonValue &input) {
  const std::string name(string_member(input, "name"));
  const auto *result = find_member(input, "result");
  if (!result) throw std::runtime_error("a check without result");
  if (result->IsBool()) return {name, result->GetBool(), 0, {}, {}, {}};
  if (const auto *returned = find_member(*result, "returnError"))
    return failed_check(name, message_of(*returned), string_member(*returned, "type"), new_ulid());
  if (const auto *thrown = find_member(*result, "throw"))
    return failed_check(name, std::string(string_member(*thrown, "message", text_of(*thrown))),
                        string_member(*thrown, "name", string_member(*thrown, "type", "Error")), {});
  if (!result->IsObject()) throw std::runtime_error("a check result of an unknown shape");
  return check_of_object(name, *result);
}

HealthService service_of(const Input &input) {
  HealthService service;
  service.name = input.text("service");
  service.is_device = input.text("participantKind") == "device";
  service.instance_id = new_ulid();
  service.contract_id = input.text("contractId");
  service.contract_digest = input.text("contractDigest");
  service.started_at = kNow;
  service.publish_interval_ms = static_cast<std::int64_t>(input.number("publishIntervalMs"));
  if (const auto *extra = input.find("info")) {
    const Input info(*extra);
    if (info.find("version")) service.version = info.text("version");
    if (info.find("info")) service.info = to_json(info.at("info"));
    if (!info.unread().empty()) throw std::runtime_error("/input/info: an unknown member");
  }
  return service;
}

JsonDocument health(const Input &input, const CaseContext &) {
  const HealthService service = service_of(input);
  std::vector<HealthCheck> checks;
  for (const auto &check : input.at("checks").GetArray())
    checks.push_back(check_of(check));
  JsonDocument heartbeat = required_json(to_json(make_heartbeat(new_ulid(), kNow, service, checks)));
  heartbeat.RemoveMember("header");
  return Output()
      .json("heartbeatWithoutHeader", heartbeat)
      .json("healthRpcResponse", required_json(to_json(make_health_report(service, kNow, checks))))
      .take();
}

JsonDocument metric(const Input &input, const CaseContext &) {
  const Input attributes(input.at("attributes"));
  ErrorSite site;
  site.error_type = attributes.text_or("errorType", "");
  site.surface = attributes.text_or("surface", "");
  site.direction = attributes.text_or("direction", "");
  site.operation = attributes.text_or("operation", "");
  site.phase = attributes.text_or("phase", "");
  site.messaging_system = attributes.text_or("messagingSystem", "");
  if (!attributes.unread().empty()) throw std::runtime_error("/input/attributes: an unknown member");
  Output out;
  for (const auto &[name, value] : error_metric(input.at("error"), site))
    out.text(name, value);
  return out.take();
}

} // namespace

void register_health(Registry &registry) {
  registry["health"] = {{"health", {health}}, {"error_metric", {metric}}};
}

} // namespace trellis::vectors
