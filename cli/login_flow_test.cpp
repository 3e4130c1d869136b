#include "agent_contract.h"
#include "contracts/json.h"
#include "login_flow.h"
#include "tests/support/http_server.h"
#include "wire/login_proofs.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::cli;
using trellis::test::http_answer;
using trellis::test::HttpRequest;
using trellis::test::HttpServer;
using namespace std::chrono_literals;

namespace {

constexpr char kBound[] =
    R"({"status":"bound","inboxPrefix":"_INBOX.x","expires":"2030-01-01T00:00:00.000Z",)"
    R"("sentinel":{"jwt":"ey.jwt","seed":"SUSEED"},"transports":{"native":{"natsServers":["nats://a:1","b:2"]}}})";
constexpr char kStarted[] =
    R"({"status":"flow_started","flowId":"01FLOW","loginUrl":"https://t.example/login?flowId=01FLOW"})";
constexpr LoginTiming kQuick{1ms, 300s};

HttpServer answering(int status, const std::string &body) {
  return HttpServer([=](const HttpRequest &) { return http_answer(status, body); });
}

auto request(const HttpServer &server, const SessionKey &key, const std::string &suffix = "") {
  HttpClient http;
  return request_login(http, {server.url() + suffix, key, agent_contract_text()});
}
Result<void> wait(const HttpServer &server, const LoginTiming &timing = kQuick) {
  HttpClient http;
  return wait_for_login(http, server.url(), "01FLOW", timing);
}
Result<BoundSession> bind(const HttpServer &server, const SessionKey &key) {
  HttpClient http;
  return bind_login(http, server.url(), key, "01FLOW");
}

} // namespace

TEST_CASE("A login asks for the whole contract with a proof of the session key") {
  const auto server = answering(200, kStarted);
  const auto key = SessionKey::generate();
  const auto started = request(server, key, "/base/");
  REQUIRE(started);
  CHECK(std::get<StartedFlow>(*started).flow_id == "01FLOW");
  CHECK(std::get<StartedFlow>(*started).login_url == "https://t.example/login?flowId=01FLOW");

  const auto sent = server.requests().at(0);
  CHECK(sent.method == "POST");
  CHECK(sent.target == "/base/auth/requests");
  const auto body = parse_json(sent.body).value();
  CHECK(body.MemberCount() == 4);
  CHECK(string_member(body, "redirectTo") == "/_trellis/portal/users/login");
  CHECK(string_member(body, "sessionKey") == key.text());
  const auto value =
      oauth_init_value({string_member(body, "redirectTo"), {}, find_member(body, "contract"), {}, nullptr});
  REQUIRE(value);
  CHECK(verify_domain(key.text(), "oauth-init", *value, string_member(body, "sig")));
}

TEST_CASE("A session that is bound at once needs no flow") {
  const auto server = answering(200, kBound);
  const auto started = request(server, SessionKey::generate());
  REQUIRE(started);
  const auto &bound = std::get<BoundSession>(*started);
  CHECK(bound.nats_servers == "nats://a:1,b:2");
  CHECK(bound.sentinel_jwt == "ey.jwt");
  CHECK(bound.sentinel_seed.reveal() == "SUSEED");
  CHECK(bound.expires == "2030-01-01T00:00:00.000Z");
}

TEST_CASE("A refusal is shown with its status and words") {
  const auto server = answering(409, "unknown required dependency");
  const auto started = request(server, SessionKey::generate());
  REQUIRE_FALSE(started);
  CHECK(started.error().code == "login_failed");
  CHECK(started.error().message.find("409: unknown required dependency") != std::string::npos);
}

TEST_CASE("Answers that are none of a login are refused") {
  for (
      const std::string body :
      {"", "[]", "{}", R"({"status":"flow_started"})", R"({"status":"flow_started","flowId":"../x","loginUrl":"u"})",
       R"({"status":"flow_started","flowId":7,"loginUrl":8})", R"({"status":"bound"})",
       R"({"status":"bound","expires":"x","sentinel":7,"transports":{"native":{"natsServers":["a"]}}})",
       R"({"status":"bound","expires":"x","sentinel":{"jwt":"a","seed":"b"},"transports":{"native":{"natsServers":[]}}})",
       R"({"status":"bound","expires":"x","sentinel":{"jwt":"a","seed":"b"},"transports":[]})"}) {
    INFO(body);
    const auto server = answering(200, body);
    const auto started = request(server, SessionKey::generate());
    REQUIRE_FALSE(started);
    CHECK(started.error().code == "login_answer_invalid");
  }
}

TEST_CASE("Waiting goes on through sign-in and approval until the flow can be bound") {
  std::atomic<int> count{0};
  HttpServer server([&](const HttpRequest &) {
    switch (++count) {
    case 1: return http_answer(200, R"({"status":"choose_provider","flowId":"01FLOW"})");
    case 2: return http_answer(200, R"({"status":"approval_required","flowId":"01FLOW"})");
    default: return http_answer(200, R"({"status":"redirect","location":"/x"})");
    }
  });
  REQUIRE(wait(server));
  CHECK(server.requests().size() == 3);
  CHECK(server.requests().at(0).method == "GET");
  CHECK(server.requests().at(0).target == "/auth/flow/01FLOW");
}

TEST_CASE("A denied, expired or insufficient login says so") {
  const auto code = [](const char *body) {
    const auto server = answering(200, body);
    return wait(server).error();
  };
  CHECK(code(R"({"status":"approval_denied"})").code == "login_denied");
  CHECK(code(R"({"status":"expired"})").code == "login_expired");
  const auto lacking = code(R"({"status":"insufficient_capabilities","missingCapabilities":["admin","x::y"]})");
  CHECK(lacking.code == "login_denied");
  CHECK(lacking.message.find("admin, x::y") != std::string::npos);
  CHECK(code(R"({"status":"device_pending"})").code == "login_answer_invalid");
}

TEST_CASE("Nobody signing in ends in a timeout") {
  const auto server = answering(200, R"({"status":"choose_provider"})");
  CHECK(wait(server, {1ms, 20ms}).error().code == "login_timeout");
}

TEST_CASE("An error while waiting ends it, without the flow's id") {
  const auto server = answering(429, "slow down");
  const auto error = wait(server).error();
  CHECK(error.code == "login_failed");
  CHECK(error.text().find("01FLOW") == std::string::npos);
}

TEST_CASE("Binding proves the key for that flow") {
  const auto server = answering(200, kBound);
  const auto key = SessionKey::generate();
  REQUIRE(bind(server, key));
  const auto sent = server.requests().at(0);
  CHECK(sent.target == "/auth/flow/01FLOW/bind");
  const auto body = parse_json(sent.body).value();
  CHECK(string_member(body, "sessionKey") == key.text());
  CHECK(verify_domain(key.text(), "bind-flow", "01FLOW", string_member(body, "sig")));
}

TEST_CASE("A bind that isn't bound is refused") {
  const auto server = answering(200, R"({"status":"expired"})");
  CHECK(bind(server, SessionKey::generate()).error().code == "login_expired");
}
