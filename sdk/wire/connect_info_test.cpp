#include "wire/device_activation.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

ConnectInfo info_of(ConnectKind kind) {
  ConnectInfo info;
  info.kind = kind;
  info.session_key = "key";
  info.instance_id = "dev_1";
  info.deployment_id = "meter.default";
  info.contract_id = "acme.meter@v1";
  info.contract_digest = "D";
  info.transports = {{"nats://n:4222"}, {"wss://n/ws"}};
  info.inbox_prefix = "_INBOX.key";
  info.sentinel.jwt = "jwt";
  info.sentinel.seed = SecretText(std::string("SUSEED"));
  info.user_delegated = true;
  return info;
}

std::string refused_at(const std::string &text, ConnectKind kind) {
  const auto info = parse_connect_info(text, kind);
  return info ? "" : info.error().where;
}

} // namespace

TEST_CASE("native servers come from their own list or else from the servers' own, split at commas") {
  CHECK(make_transports({"nats://a"}, "b,c", {}).native == std::vector<std::string>{"nats://a"});
  CHECK(make_transports({}, " b , ,c,", {"wss://w"}) == Transports{{"b", "c"}, {"wss://w"}});
  CHECK(to_json(make_transports({}, " , ", {})) == "{}");
}

TEST_CASE("outside a browser native is preferred to websocket") {
  CHECK(servers_outside_browser({{"n"}, {"w"}}).front() == "n");
  CHECK(servers_outside_browser({{}, {"w"}}).front() == "w");
}

TEST_CASE("transports read back, and a family without servers is an error") {
  const Transports transports{{"n1", "n2"}, {}};
  CHECK(parse_transports(to_json(transports)).value() == transports);
  CHECK(parse_transports(R"({"native":{"natsServers":[]}})").error().where == "/native/natsServers");
  CHECK(parse_transports(R"({"websocket":{"natsServers":[1]}})").error().where == "/websocket/natsServers/0");
}

TEST_CASE("each kind's connect info is written as its route answers it") {
  CHECK(to_json(info_of(ConnectKind::user)) ==
        R"({"sessionKey":"key","contractId":"acme.meter@v1","contractDigest":"D",)"
        R"("transports":{"native":{"natsServers":["nats://n:4222"]},"websocket":{"natsServers":["wss://n/ws"]}},)"
        R"("transport":{"inboxPrefix":"_INBOX.key","sentinel":{"jwt":"jwt","seed":"SUSEED"}}})");
  CHECK(to_json(info_of(ConnectKind::device))
            .ends_with(R"("auth":{"mode":"device_identity","authority":"user_delegated","iatSkewSeconds":30}})"));
  CHECK(to_json(info_of(ConnectKind::service)).ends_with(R"("auth":{"mode":"service_identity","iatSkewSeconds":30}})"));
}

TEST_CASE("connect info of each kind reads back") {
  for (const auto kind : {ConnectKind::user, ConnectKind::service, ConnectKind::device}) {
    const std::string text = to_json(info_of(kind));
    CHECK(to_json(parse_connect_info(text, kind).value()) == text);
  }
}

TEST_CASE("what a kind needs is named when it is missing, and no seed is shown") {
  CHECK(refused_at(to_json(info_of(ConnectKind::service)), ConnectKind::user) == "/transport/inboxPrefix");
  CHECK(refused_at(to_json(info_of(ConnectKind::user)), ConnectKind::service) == "/auth");
  CHECK(refused_at(to_json(info_of(ConnectKind::service)), ConnectKind::device) == "/instanceId");
  ConnectInfo skewed = info_of(ConnectKind::service);
  skewed.iat_skew_seconds = 0;
  const auto refused = parse_connect_info(to_json(skewed), ConnectKind::service);
  CHECK(refused.error().where == "/auth/iatSkewSeconds");
  CHECK(refused.error().text().find("SUSEED") == std::string::npos);
}

TEST_CASE("a device's signed requests verify and read back") {
  const SessionKey identity = SessionKey::generate();
  const auto wait = sign_wait_request(identity, "flow", "nonce", "D", 1767225600);
  CHECK(verify_device_proof(wait.parts(), wait.sig));
  CHECK(parse_wait_request(wait_request_json(wait)).value() == wait);
  const auto connect = sign_connect_info_request(identity, "D", 1767225600.5);
  CHECK(verify_device_proof(connect.parts(), connect.sig));
  CHECK(parse_connect_info_request(connect_info_request_json(connect)).value() == connect);
  CHECK(connect_info_request_json(connect).find("flowId") == std::string::npos);
  CHECK(parse_wait_request(connect_info_request_json(connect)).error().where == "/flowId");
}

TEST_CASE("a waiting device reads every answer") {
  CHECK(parse_wait_answer(R"({"status":"pending"})")->status == WaitStatus::pending);
  CHECK(parse_wait_answer(R"({"status":"rejected","reason":"device_flow_expired"})")->reason == "device_flow_expired");
  WaitAnswer activated;
  activated.status = WaitStatus::activated;
  activated.activated_at = "2026-01-01T00:00:00.000Z";
  activated.confirmation_code = "ABCD1234";
  activated.connect_info = info_of(ConnectKind::device);
  const std::string text = to_json(activated);
  CHECK(to_json(parse_wait_answer(text).value()) == text);
  CHECK(parse_wait_answer(R"({"status":"activated","activatedAt":"2026-01-01T00:00:00Z"})").error().where ==
        "/connectInfo");
}

TEST_CASE("a started activation reads back and its request holds the payload") {
  const ActivationStarted started{"F", "dev_1", "meter.default", "https://t/_trellis/portal/devices/activate?flowId=F"};
  CHECK(parse_activation_started(to_json(started)).value() == started);
  CHECK(activation_request_json({"key", "n", "m", {}}) ==
        R"({"payload":{"v":1,"publicIdentityKey":"key","nonce":"n","qrMac":"m"}})");
}
