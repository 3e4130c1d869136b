#include "policy/policy_bootstrap.h"
#include "policy/policy_test_support.h"
#include "policy/remote_policy.h"
#include "policy/remote_policy_answers.h"
#include "runtime/fake_transport.h"
#include "tests/support/http_server.h"
#include "tests/support/wait_until.h"
#include "wire/connect_token.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <future>

using namespace trellis;
using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using trellis::test::http_answer;
using trellis::test::HttpRequest;
using trellis::test::HttpServer;
using trellis::test::wait_until;

namespace {

std::string ready_body(std::int64_t now = kNow) {
  static const NkeySeed seed = NkeySeed::generate(NkeyType::user);
  return R"({"status":"ready","serverNow":)" + std::to_string(now) +
         R"(,"connectInfo":{"transport":{"sentinel":{"jwt":"ey.sentinel.jwt","seed":")" + seed.text().reveal() +
         R"("}}},"binding":{"resources":{}}})";
}

std::string pending(const std::string &reason) {
  return http_answer(202, R"({"reason":")" + reason + R"(","message":"not yet"})");
}

RemotePolicyOptions quick(const std::string &url) {
  RemotePolicyOptions options;
  options.url = url;
  options.clock = [] { return kNow * 1000; };
  options.pending_retry = options.refused_retry = options.network_retry_min = options.network_retry_max = 1ms;
  return options;
}

std::unique_ptr<RemotePolicy> opened(RemotePolicyOptions options) {
  auto policy = RemotePolicy::open(std::move(options));
  REQUIRE(policy);
  return std::move(*policy);
}

PolicyAnswer ask(RemotePolicy &policy, const SessionKey &key, const Manifest &contract = echo()) {
  std::promise<PolicyAnswer> answer;
  policy.bootstrap(bootstrap_request(key, contract, true, policy.now()),
                   [&answer](PolicyAnswer given) { answer.set_value(std::move(given)); });
  return answer.get_future().get();
}

std::string reason(const PolicyAnswer &answer) {
  return std::string(string_member(json_of(answer.body), "reason"));
}
bool has_contract(const HttpRequest &request) {
  return find_member(json_of(request.body), "contract") != nullptr;
}

// Asks again each time that the policy says so, as a host does, until it is ready.
struct Asker {
  Asker(RemotePolicy &asked, const SessionKey &signer) : policy(asked), key(signer) {
    policy.on_change([this] { send(); });
    send();
  }
  ~Asker() { policy.on_change({}); }
  void send() {
    policy.bootstrap(bootstrap_request(key, echo(), true, policy.now()),
                     [this](const PolicyAnswer &answer) { ready = answer.status == 200; });
  }
  RemotePolicy &policy;
  const SessionKey &key;
  std::atomic<bool> ready{false};
};

} // namespace

TEST_CASE("The first question leaves the manifest out, and the ready answer arrives as it was given") {
  HttpServer server([](const HttpRequest &) { return http_answer(200, ready_body()); });
  const auto policy = opened(quick(server.url() + "/prefix/"));
  const auto answer = ask(*policy, SessionKey::generate());
  CHECK(answer.status == 200);
  CHECK(answer.body == ready_body());
  const auto requests = server.requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].method == "POST");
  CHECK(requests[0].target == "/bootstrap/service");
  CHECK_FALSE(has_contract(requests[0]));
}

TEST_CASE("A control plane that doesn't know the manifest gets it at once, and on every later question") {
  // The decisions of the static policy, behind HTTP: the real answers of the route.
  PolicyFolder folder;
  folder.write("");
  const auto file = load_static_policy(folder.file()).value();
  HttpServer server([&](const HttpRequest &request) {
    const auto answer = decide_bootstrap({file, {}, kNow}, request.body, {}).answer;
    return http_answer(answer.status, answer.body);
  });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  const auto answer = ask(*policy, key);
  CHECK(answer.status == 202);
  CHECK(reason(answer) == "authority_update_required");
  ask(*policy, key);
  const auto requests = server.requests();
  REQUIRE(requests.size() == 3);
  CHECK_FALSE(has_contract(requests[0]));
  CHECK(has_contract(requests[1]));
  CHECK(has_contract(requests[2]));
}

TEST_CASE("A pending contract is asked about again until it is accepted") {
  std::atomic<int> count{0};
  HttpServer server([&](const HttpRequest &) {
    return ++count < 4 ? pending("authority_update_required") : http_answer(200, ready_body());
  });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  const Asker asker(*policy, key);
  CHECK(wait_until([&] { return asker.ready.load(); }));
  CHECK(count == 4);
}

TEST_CASE("A clock that is off is corrected from the server's, and the question signed again") {
  constexpr std::int64_t kAhead = 3600;
  HttpServer server([&](const HttpRequest &request) {
    const JsonDocument body = json_of(request.body);
    return find_member(body, "iat")->GetInt64() == kNow + kAhead
               ? http_answer(200, ready_body(kNow + kAhead))
               : http_answer(400, R"({"reason":"iat_out_of_range","serverNow":)" + std::to_string(kNow + kAhead) + "}");
  });
  auto options = quick(server.url());
  options.pending_retry = 1h; // the correction doesn't wait for it
  const auto policy = opened(options);
  const auto key = SessionKey::generate();
  const Asker asker(*policy, key);
  CHECK(wait_until([&] { return asker.ready.load(); }));
  CHECK(server.requests().size() == 2);
  CHECK(policy->now() == kNow + kAhead);
  const auto credentials = policy->credentials(key, echo().digest(), "rpc");
  REQUIRE(credentials);
  CHECK(check_connect_token(credentials->auth_token(), kNow + kAhead));
}

TEST_CASE("A clock that is off is named with whose it is and by how much") {
  CHECK(clock_difference(-3'600'200) == "this machine's clock is 3600 s ahead of the control plane's, whose time is "
                                        "used now");
  CHECK(clock_difference(45'000) == "this machine's clock is 45 s behind the control plane's, whose time is used now");
  CHECK(clock_difference(400) == "the control plane refuses a time that agrees with its own");
}

TEST_CASE("What an operator switches on is noticed as fast as an accepted plan, what is broken is asked about less") {
  for (const std::string reason : {"unknown_service", "service_disabled", "service_deployment_disabled",
                                   "authority_update_required", "contract_activation_pending"}) {
    INFO(reason);
    CHECK(judge_remote_answer(403, R"({"reason":")" + reason + R"("})", "key").step == RemoteStep::wait);
  }
  CHECK(judge_remote_answer(409, R"({"reason":"presented_contract_invalid"})", "key").step == RemoteStep::refused);
}

TEST_CASE("A server that calls every clock wrong isn't asked in a tight loop") {
  HttpServer server([](const HttpRequest &) {
    return http_answer(400, R"({"reason":"iat_out_of_range","serverNow":)" + std::to_string(kNow) + "}");
  });
  auto options = quick(server.url());
  options.pending_retry = 1h;
  const auto policy = opened(options);
  std::atomic<int> changes{0};
  policy->on_change([&] { ++changes; });
  CHECK(ask(*policy, SessionKey::generate()).status == 503);
  CHECK(ask(*policy, SessionKey::generate()).status == 503);
  CHECK(changes == 0);
}

TEST_CASE("Credentials are the sentinel's with a connect token for the asked use") {
  HttpServer server([](const HttpRequest &) { return http_answer(200, ready_body()); });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  CHECK(policy->credentials(key, echo().digest(), "rpc").error().code == "policy_denied");
  REQUIRE(ask(*policy, key).status == 200);
  const auto credentials = policy->credentials(key, echo().digest(), "rpc");
  REQUIRE(credentials);
  CHECK(credentials->user.jwt == "ey.sentinel.jwt");
  CHECK(credentials->expires_at == kNow + 3600);
  const auto token = check_connect_token(credentials->auth_token(), kNow);
  REQUIRE(token);
  CHECK(token->session_key == key.text());
  CHECK(token->contract_digest == echo().digest());
  CHECK(token->use == "rpc");
  CHECK(policy->credentials(SessionKey::generate(), echo().digest(), "rpc").error().code == "policy_denied");
}

TEST_CASE("Who is refused later gets no credentials any more") {
  std::atomic<bool> refuse{false};
  HttpServer server([&](const HttpRequest &) {
    return refuse ? http_answer(403, R"({"reason":"service_disabled","message":"off"})")
                  : http_answer(200, ready_body());
  });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  ask(*policy, key);
  REQUIRE(policy->credentials(key, echo().digest(), "rpc"));
  refuse = true;
  const auto answer = ask(*policy, key);
  CHECK(answer.status == 403);
  CHECK(reason(answer) == "service_disabled");
  CHECK(policy->credentials(key, echo().digest(), "rpc").error().code == "policy_denied");
}

TEST_CASE("A control plane in trouble decides nothing: the answer is undecided and the credentials stay") {
  std::atomic<int> status{200};
  HttpServer server([&](const HttpRequest &) {
    return status == 200 ? http_answer(200, ready_body()) : http_answer(status, "Internal Server Error");
  });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  ask(*policy, key);
  for (const int trouble : {500, 502, 429, 404}) {
    INFO(trouble);
    status = trouble;
    const auto answer = ask(*policy, key);
    CHECK(answer.status == 503);
    CHECK(reason(answer) == "policy_unreachable");
    CHECK(policy->credentials(key, echo().digest(), "rpc"));
  }
}

TEST_CASE("A control plane that comes back is asked again by itself") {
  std::atomic<int> count{0};
  HttpServer server(
      [&](const HttpRequest &) { return ++count < 4 ? http_answer(503, "starting") : http_answer(200, ready_body()); });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  const Asker asker(*policy, key);
  CHECK(wait_until([&] { return asker.ready.load(); }));
}

TEST_CASE("Nobody listening is undecided too, and asked again by itself") {
  auto server = std::make_unique<HttpServer>([](const HttpRequest &) { return std::string("x"); });
  const std::string url = server->url();
  server.reset();
  const auto policy = opened(quick(url));
  std::atomic<int> changes{0};
  policy->on_change([&] { ++changes; });
  const auto answer = ask(*policy, SessionKey::generate());
  CHECK(answer.status == 503);
  CHECK(reason(answer) == "policy_unreachable");
  CHECK(wait_until([&] { return changes == 1; }));
}

TEST_CASE("A key that the control plane doesn't know is named, with the command that provisions it") {
  HttpServer server(
      [](const HttpRequest &) { return http_answer(404, R"({"reason":"unknown_service","message":"Unknown"})"); });
  const auto policy = opened(quick(server.url()));
  const auto key = SessionKey::generate();
  const auto answer = ask(*policy, key);
  CHECK(answer.status == 404);
  CHECK(reason(answer) == "unknown_service");
  CHECK(answer.body.find("provision --instance-key " + key.text()) != std::string::npos);
}

TEST_CASE("A reason makes a refusal of any status") {
  const auto verdict = judge_remote_answer(200, R"({"status":"ready","reason":"odd"})", "key");
  CHECK(verdict.step == RemoteStep::refused);
  CHECK(verdict.answer.status == 409);
}

TEST_CASE("A ready answer without a usable sentinel is none") {
  for (const std::string body :
       {"", "[]", "null", R"({"status":"ready"})", R"({"status":"ready","connectInfo":7})",
        R"({"status":"ready","connectInfo":{"transport":{"sentinel":{"jwt":"ey","seed":"SUnonsense"}}}})",
        R"({"status":"ready","connectInfo":{"transport":{"sentinel":{"jwt":5,"seed":6}}}})"}) {
    INFO(body);
    CHECK(judge_remote_answer(200, body, "key").step == RemoteStep::no_answer);
  }
}

TEST_CASE("A server time that is no time is ignored") {
  for (const std::string now : {"\"soon\"", "-1", "1e300", "null"}) {
    INFO(now);
    const auto verdict = judge_remote_answer(400, R"({"reason":"iat_out_of_range","serverNow":)" + now + "}", "key");
    CHECK(verdict.step == RemoteStep::refused);
    CHECK_FALSE(verdict.server_now);
  }
}

TEST_CASE("Retry-After is seconds or a date, and at most a minute") {
  CHECK(retry_after("7", 0) == 7s);
  CHECK(retry_after("0", 0) == 0s);
  CHECK(retry_after("61", 0) == 60s);
  CHECK(retry_after("99999999999999999999", 0) == 60s);
  CHECK(retry_after("Thu, 01 Jan 1970 00:00:30 GMT", 10'000) == 20s);
  CHECK(retry_after("Thu, 01 Jan 1970 00:00:30 GMT", 50'000) == 0s);
  CHECK_FALSE(retry_after("", 0));
  CHECK_FALSE(retry_after("-1", 0));
  CHECK_FALSE(retry_after("soon", 0));
}

TEST_CASE("Too many waiting questions are answered at once") {
  HttpServer server([](const HttpRequest &) { return std::string(); });
  auto options = quick(server.url());
  options.max_waiting = 2;
  std::atomic<int> overloaded{0}, closed{0};
  {
    const auto policy = opened(options);
    const auto key = SessionKey::generate();
    for (int i = 0; i < 10; ++i)
      policy->bootstrap(bootstrap_request(key, echo(), true, kNow), [&](const PolicyAnswer &answer) {
        (reason(answer) == "policy_overloaded" ? overloaded : closed)++;
      });
    CHECK(overloaded >= 7);
  }
  CHECK(overloaded + closed == 10); // ending answers the rest, also the one under way
}

TEST_CASE("A request that is no JSON is refused without asking") {
  HttpServer server([](const HttpRequest &) { return http_answer(200, ready_body()); });
  const auto policy = opened(quick(server.url()));
  std::promise<PolicyAnswer> answer;
  policy->bootstrap("nonsense", [&](PolicyAnswer given) { answer.set_value(std::move(given)); });
  CHECK(answer.get_future().get().status == 400);
  CHECK(server.requests().empty());
}

TEST_CASE("A URL that is none of HTTP is refused") {
  CHECK(RemotePolicy::open({.url = "nats://127.0.0.1:4222"}).error().code == "config_value");
  CHECK(RemotePolicy::open({.url = ""}).error().code == "config_value");
}

TEST_CASE("Reload asks again") {
  HttpServer server([](const HttpRequest &) { return http_answer(200, ready_body()); });
  const auto policy = opened(quick(server.url()));
  std::atomic<int> changes{0};
  policy->on_change([&] { ++changes; });
  REQUIRE(policy->reload());
  CHECK(wait_until([&] { return changes == 1; }));
}

TEST_CASE("Requests are validated by the control plane over the principal's own connection") {
  const auto policy = opened(quick("http://127.0.0.1:9"));
  trellis::test::ScriptedTransport transport;
  const auto key = SessionKey::generate();
  std::string subject, signer;
  transport.on_request = [&](const Outbound &request, std::chrono::milliseconds, const Transport::OnReply &on_reply) {
    subject = request.subject;
    for (const Header &header : *request.headers)
      if (header.name == wire::kSessionKey) signer = header.value;
    on_reply(fail(transport_error::kTimeout, subject, "no answer"));
  };
  const auto validator = policy->validator_for(transport, key);
  REQUIRE(validator);
  const std::vector<std::string> capabilities;
  CHECK_FALSE(validator->validate({key.text(), "proof", "rpc.v1.Echo.Say", {}, kNow, "id", capabilities, false}));
  CHECK(subject == "rpc.v1.Auth.Requests.Validate");
  CHECK(signer == key.text());
}
