#include "session_rows.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis::auth;

namespace {

Session session_of(std::variant<UserSession, ServiceSession, DeviceSession> of) {
  return {"KEY", 1'760'000'000'000, 1'760'000'001'500, std::move(of)};
}

Session ada() {
  UserSession user;
  user.user_id = "usr_1";
  user.identity = {"idn_x", "local", "ada"};
  user.name = "Ada";
  user.participant_kind = "app";
  user.contract_id = "acme.lab@v1";
  user.contract_display_name = "Lab";
  return session_of(user);
}

} // namespace

TEST_CASE("a user's session row has both contract members") {
  CHECK(session_row(ada()) ==
        R"({"key":"usr_1.KEY","sessionKey":"KEY","participantKind":"app","principal":{"type":"user",)"
        R"("userId":"usr_1","identity":{"identityId":"idn_x","provider":"local","subject":"ada"},"name":"Ada"},)"
        R"("contractId":"acme.lab@v1","contractDisplayName":"Lab","createdAt":"2025-10-09T08:53:20.000Z",)"
        R"("lastAuth":"2025-10-09T08:53:21.500Z"})");
  CHECK(listed_under(ada()) == "usr_1");
}

TEST_CASE("a service's row has no contract and its key twice") {
  ServiceSession service;
  service.name = service.deployment_id = "acme.orders.main";
  service.instance_id = "svc_1";
  const auto session = session_of(service);
  CHECK(session_row_key(session) == "service.KEY.KEY");
  CHECK(session_row(session) ==
        R"({"key":"service.KEY.KEY","sessionKey":"KEY","participantKind":"service","principal":{"type":"service",)"
        R"("id":"KEY","name":"acme.orders.main","instanceId":"svc_1","deploymentId":"acme.orders.main"},)"
        R"("createdAt":"2025-10-09T08:53:20.000Z","lastAuth":"2025-10-09T08:53:21.500Z"})");
}

TEST_CASE("a device's row has its contract's id and the type of its deployment") {
  DeviceSession device;
  device.instance_id = "dev_1";
  device.deployment_id = "acme.sensors.lab";
  device.contract_id = "acme.sensor@v1";
  const auto row = session_row(session_of(device));
  CHECK(row.find(R"("key":"dev_1.KEY.KEY")") != std::string::npos);
  CHECK(row.find(R"("deviceType":"acme","runtimePublicKey":"KEY","deploymentId":"acme.sensors.lab"})") !=
        std::string::npos);
  CHECK(row.find(R"("contractId":"acme.sensor@v1","createdAt")") != std::string::npos);
}

TEST_CASE("a connection's row adds the connection to its session") {
  const ConnectionRecord record{{"KEY", "usr_1", "UABC"}, "NSERVER", 7, "2026-01-01T00:00:00.000Z"};
  CHECK(connection_row(ada(), record)
            .starts_with(R"({"key":"usr_1.KEY.UABC","userNkey":"UABC","sessionKey":"KEY","serverId":"NSERVER",)"
                         R"("clientId":7,"connectedAt":"2026-01-01T00:00:00.000Z","participantKind":"app",)"));
}
