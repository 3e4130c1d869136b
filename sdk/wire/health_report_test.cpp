#include "wire/health_report.h"

#include "wire/error_metric.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

HealthService billing() {
  HealthService service;
  service.name = "billing";
  service.instance_id = "i";
  service.contract_id = "acme.billing@v1";
  service.contract_digest = "D1";
  service.started_at = "2026-01-01T00:00:00.000Z";
  return service;
}

HealthCheck check(bool ok) {
  return {"c", ok, 1.5, {}, {}, {}};
}

std::map<std::string, std::string> metric_of(std::string_view error) {
  return error_metric(parse_json(error).value(), {});
}

} // namespace

TEST_CASE("the status is what most of the checks leave") {
  CHECK(health_status({}) == HealthStatus::healthy);
  CHECK(health_status({check(true)}) == HealthStatus::healthy);
  CHECK(health_status({check(true), check(false)}) == HealthStatus::degraded);
  CHECK(health_status({check(false)}) == HealthStatus::unhealthy);
  CHECK(health_summary({check(false)}) == "1 check failing");
  CHECK(health_summary({check(false), check(false)}) == "2 checks failing");
  CHECK_FALSE(health_summary({check(true)}));
}

TEST_CASE("a failed check says whose it is, whatever it said before") {
  std::vector<HealthCheck> checks = {check(false), check(true)};
  checks[0].info = R"({"service":"other","depth":3})";
  annotate_failed(checks, billing());
  CHECK(checks[0].info == R"({"depth":3,"service":"billing","contractId":"acme.billing@v1","contractDigest":"D1"})");
  CHECK_FALSE(checks[1].info);
}

TEST_CASE("heartbeat and report read back as they were written") {
  HealthService service = billing();
  service.is_device = true;
  service.runtime_version = "1";
  service.info = R"({"region":"eu"})";
  const auto heartbeat = make_heartbeat("id", "2026-01-01T00:00:00.000Z", service,
                                        {check(true), failed_check("db", "down", "KVError", "e1")});
  CHECK(parse_health_heartbeat(to_json(heartbeat)).value() == heartbeat);
  const auto report = make_health_report(service, "2026-01-01T00:00:00.000Z", {check(false)});
  CHECK(parse_health_report(to_json(report)).value() == report);
  CHECK(parse_health_report(R"({"status":"ok","service":"s","timestamp":"t","checks":[]})").error().where == "/status");
}

TEST_CASE("a runtime's health method is its name in Pascal case") {
  CHECK(health_method("billing") == "Billing.Health");
  CHECK(health_method("rt-billing_2x") == "RtBilling2x.Health");
  CHECK(is_health_method("RtBilling2x.Health"));
  for (const char *other : {"Health", "billing.Health", "Billing.Healthy", "Billing.Room.Health", "Billing.health"})
    CHECK_FALSE(is_health_method(other));
}

TEST_CASE("attributes that hold ids, subjects or free text are dropped") {
  const char *const dropped[] = {"",
                                 " ",
                                 "two words",
                                 "01HZYJ3SM8Q7C6DBK5PR7H4YBM",
                                 "job_01hzyj3sm8q7c6dbk5pr7h4ybm",
                                 "a:550e8400-e29b-41d4-a716-446655440000",
                                 "x.0123456789ab",
                                 "rpc.v1.Billing.Charge",
                                 "events.v12.A"};
  for (const char *value : dropped) {
    CAPTURE(value);
    CHECK(bounded_attribute(value).empty());
  }
  CHECK(bounded_attribute(std::string(97, 'x')).empty());
  CHECK(bounded_attribute(std::string(96, 'x')).size() == 96);
  CHECK(bounded_attribute(" Billing.Charge ") == "Billing.Charge");
  CHECK(bounded_attribute("rpc.version.A") == "rpc.version.A");
  CHECK(bounded_attribute("rpc.v.A") == "rpc.v.A");
}

TEST_CASE("an error is counted by its type and only known reasons") {
  CHECK(metric_of(R"({"type":"AuthError","reason":"forbidden"})").at("trellis.auth.reason") == "forbidden");
  CHECK(metric_of(R"({"type":"AuthError","reason":"because"})").count("trellis.auth.reason") == 0);
  CHECK(metric_of(R"({"type":"OrderRefused","reason":"forbidden"})").count("trellis.auth.reason") == 0); // its own
  CHECK(metric_of(R"({"type":"RemoteError","remoteError":{"type":"X","reason":"forbidden"}})")
            .count("trellis.auth.reason") == 0);
  CHECK(metric_of(R"("text")").at("exception.type") == "unknown");
  CHECK(metric_of(R"({"type":"X"})").at("trellis.error.type") == "X");
}
