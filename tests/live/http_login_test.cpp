// Signing in, against the real routes, store and KV buckets: what the recorded transcripts don't reach.
#include "contracts/json_write.h"
#include "store/accounts.h"
#include "store/authority.h"
#include "store/sessions.h"
#include "vectors/http_flow_instance.h"
#include "wire/login_proofs.h"
#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <rapidjson/document.h>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

constexpr char kPassword[] = "correct horse battery";
constexpr char kApp[] =
    R"({"format":"trellis.contract.v1","id":"acme.app@v1","displayName":"App","description":"An app.",
  "kind":"app","uses":{"required":{"auth":{"contract":"trellis.auth@v1","rpc":{"call":["Auth.Sessions.Me"]}}}}})";
constexpr char kAdminApp[] = R"({"format":"trellis.contract.v1","id":"acme.admin@v1","displayName":"Admin",
  "description":"An app.","kind":"app","uses":{"required":{"auth":{"contract":"trellis.auth@v1",
  "rpc":{"call":["Auth.Users.List"]}}}}})";
constexpr char kReturn[] = "http://app.acme.test/cb";

std::string member(const HttpResponse &response, std::string_view name) {
  const auto body = parse_json(response.body);
  return body ? std::string(string_member(*body, name)) : std::string();
}

// A control plane whose administrator has a password, and what a browser and an app do with it.
struct Site {
  FlowInstance instance{nullptr};
  SessionKey key = SessionKey::generate();

  Site() { set_password(instance.bootstrap_flow(), kPassword); }

  HttpResponse send(const std::string &method, const std::string &target, const std::string &body = "") {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.remote_ip = "192.0.2.1";
    request.request_origin = kFlowOrigin;
    return instance.handle(request);
  }
  HttpResponse set_password(const std::string &flow, const std::string &password) {
    return send("POST", "/auth/account-flow/" + flow + "/local-password",
                JsonObjectText().text("password", password).str());
  }
  std::string start(const char *contract = kApp) {
    const auto manifest = *parse_json(contract);
    const auto sig = key.sign_domain(domain::kOauthInit, *oauth_init_value({kReturn, "", &manifest, "", nullptr}));
    const auto response = send("POST", "/auth/requests",
                               JsonObjectText()
                                   .text("redirectTo", kReturn)
                                   .text("sessionKey", key.text())
                                   .text("sig", sig)
                                   .json("contract", contract)
                                   .str());
    INFO(response.body);
    REQUIRE(response.status == 200);
    return member(response, "flowId");
  }
  HttpResponse login(const std::string &flow, const std::string &user, const std::string &password) {
    return send("POST", "/auth/login/local",
                JsonObjectText().text("flowId", flow).text("username", user).text("password", password).str());
  }
  HttpResponse approve(const std::string &flow) {
    return send("POST", "/auth/flow/" + flow + "/approval", R"({"approved":true})");
  }
  HttpResponse bind(const std::string &flow) {
    return send(
        "POST", "/auth/flow/" + flow + "/bind",
        JsonObjectText().text("sessionKey", key.text()).text("sig", key.sign_domain(domain::kBindFlow, flow)).str());
  }
  std::string signed_in() {
    auto flow = start();
    REQUIRE(login(flow, "admin", kPassword).status == 200);
    REQUIRE(member(approve(flow), "status") == "redirect");
    REQUIRE(member(bind(flow), "status") == "bound");
    return flow;
  }
  HttpResponse bootstrap(std::int64_t iat_offset = 0) {
    const auto iat = instance.now_ms() / 1000 + iat_offset;
    return send(
        "POST", "/bootstrap/client",
        JsonObjectText()
            .text("sessionKey", key.text())
            .number("iat", iat)
            .text("sig", key.sign_domain(domain::kBootstrapClient, bootstrap_client_value(static_cast<double>(iat))))
            .str());
  }
  // A user with a password of their own, who may do nothing.
  void add_user(const std::string &name) {
    User user;
    user.user_id = "usr_" + name;
    Identity identity;
    identity.identity_id = identity_id_of("local", name);
    identity.user_id = user.user_id;
    identity.provider = "local";
    identity.subject = name;
    const auto stored = instance.core().db.write([&](Writer &db) -> Result<void> {
      put_user(db, user);
      put_identity(db, identity);
      put_credential(db, hash_password(kPassword, Bytes(16, 1), identity.identity_id, 0));
      return {};
    });
    REQUIRE(stored);
  }
};

TEST_CASE("the first administrator sets a password, signs in, approves and binds; a used link is used up") {
  Site site;
  site.signed_in();
  CHECK(member(site.bootstrap(), "status") == "ready");
  CHECK(site.set_password(site.instance.bootstrap_flow(), kPassword).status == 409);
}

TEST_CASE("five wrong passwords lock the account for a quarter of an hour, for the right password too") {
  Site site;
  auto flow = site.start();
  for (int i = 0; i < 5; ++i)
    CHECK(site.login(flow, "admin", "wrong").status == 403);
  CHECK(site.login(flow, "admin", kPassword).status == 403);
  site.instance.advance(std::int64_t{15} * 60 * 1000);
  flow = site.start();
  CHECK(site.login(flow, "admin", kPassword).status == 200);
}

TEST_CASE("of binds at the same time exactly one gets the session") {
  Site site;
  const auto flow = site.start();
  REQUIRE(site.login(flow, "admin", kPassword).status == 200);
  REQUIRE(site.approve(flow).status == 200);
  std::vector<std::future<HttpResponse>> attempts;
  for (int i = 0; i < 4; ++i)
    attempts.push_back(std::async(std::launch::async, [&] { return site.bind(flow); }));
  int bound = 0;
  for (auto &attempt : attempts) {
    const auto response = attempt.get();
    if (member(response, "status") == "bound") {
      ++bound;
      continue;
    }
    CHECK((response.body == "authtoken_already_used" || member(response, "status") == "expired"));
  }
  CHECK(bound == 1);
}

TEST_CASE("whoever lacks a capability is told which, and neither approval nor bind gives it") {
  Site site;
  site.add_user("bob");
  const auto flow = site.start(kAdminApp);
  REQUIRE(site.login(flow, "bob", kPassword).status == 200);
  CHECK(member(site.send("GET", "/auth/flow/" + flow), "status") == "insufficient_capabilities");
  CHECK(member(site.approve(flow), "status") == "insufficient_capabilities");
  const auto bound = site.bind(flow);
  CHECK(member(bound, "status") == "insufficient_capabilities");
  CHECK(bound.body.find(R"("missingCapabilities":["admin"])") != std::string::npos);
}

TEST_CASE("a flow past its time says expired, but a login that is under way can still be finished") {
  Site site;
  const auto flow = site.start();
  REQUIRE(site.login(flow, "admin", kPassword).status == 200);
  site.instance.advance(300'000);
  const auto state = site.send("GET", "/auth/flow/" + flow);
  CHECK(member(state, "status") == "expired");
  CHECK(member(state, "returnLocation") == std::string(kReturn) + "?flowId=" + flow);
  CHECK(site.login(flow, "admin", kPassword).status == 404);
  CHECK(member(site.approve(flow), "status") == "expired");
  CHECK(member(site.bind(flow), "status") == "bound");
}

TEST_CASE("proofs are fresh for thirty seconds both ways, and freshness is checked before the signature") {
  Site site;
  site.signed_in();
  CHECK(member(site.bootstrap(30), "status") == "ready");
  CHECK(member(site.bootstrap(-29), "status") == "ready");
  CHECK(member(site.bootstrap(32), "reason") == "iat_out_of_range");
  CHECK(member(site.bootstrap(-31), "reason") == "iat_out_of_range");
  const auto stale = site.send(
      "POST", "/bootstrap/client",
      JsonObjectText().text("sessionKey", site.key.text()).number("iat", 5).text("sig", std::string(86, 'A')).str());
  CHECK(member(stale, "reason") == "iat_out_of_range");
}

TEST_CASE("a session of an account that was disabled ends at the next bootstrap") {
  Site site;
  site.signed_in();
  const auto disabled = site.instance.core().db.write([&](Writer &db) -> Result<void> {
    auto user = *find_user(db, find_identity(db, "local", "admin")->user_id);
    user.active = false;
    put_user(db, user);
    return {};
  });
  REQUIRE(disabled);
  CHECK(member(site.bootstrap(), "status") == "auth_required");
  const auto session = site.instance.core().db.read([&](Reader &db) { return *find_session(db, site.key.text(), 0); });
  CHECK_FALSE(*session);
}

TEST_CASE("bodies that are no request are refused by every route, and change nothing") {
  Site site;
  const auto flow = site.start();
  REQUIRE(site.login(flow, "admin", kPassword).status == 200);
  const std::string deep(2000, '[');
  for (const std::string target :
       {"/bootstrap/client", "/bootstrap/service", "/auth/requests", "/auth/login/local", "/auth/sessions/logout"})
    for (const std::string &body : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                    std::string("3"), std::string("\"x\""), std::string("{}"), deep,
                                    std::string("\xff\xfe"), std::string(R"({"sessionKey":1,"iat":"x","sig":{}})"),
                                    std::string(R"({"flowId":[],"username":null,"password":1})")}) {
      CAPTURE(target, body);
      CHECK(site.send("POST", target, body).status == 400);
    }
  for (const std::string &body :
       {std::string("{"), std::string("[]"), std::string("null"), std::string("{\"approved\":1}")}) {
    CAPTURE(body);
    CHECK(site.send("POST", "/auth/flow/" + flow + "/approval", body).status == 400);
    CHECK(site.send("POST", "/auth/flow/" + flow + "/bind", body).status == 400);
  }
  CHECK(member(site.send("GET", "/auth/flow/" + flow), "status") == "approval_required");
}

TEST_CASE("flow ids that no flow has are unknown, whatever they look like") {
  Site site;
  for (const std::string id : {"UNKNOWN", "*", "%3E", "a.b", "%00", "%2e%2e", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}) {
    CAPTURE(id);
    CHECK(member(site.send("GET", "/auth/flow/" + id), "status") == "expired");
    CHECK(member(site.send("GET", "/auth/account-flow/" + id), "status") == "expired");
  }
}

TEST_CASE("a body that the listener cut off is answered 413 with the security headers") {
  Site site;
  HttpRequest request;
  request.method = "POST";
  request.target = "/auth/requests";
  request.body_too_large = true;
  const auto response = site.instance.handle(request);
  CHECK(response.status == 413);
  CHECK(response.body == R"({"error":"body_too_large"})");
  CHECK(std::any_of(response.headers.begin(), response.headers.end(),
                    [](const auto &header) { return header.first == "Content-Security-Policy"; }));
}

TEST_CASE("redirects that a browser would read as another host are refused") {
  Site site;
  for (const std::string target : {"/\\evil.test", "/\t/evil.test", "//evil.test", "javascript:alert(1)"}) {
    CAPTURE(target);
    const auto manifest = *parse_json(kApp);
    const auto sig = site.key.sign_domain(domain::kOauthInit, *oauth_init_value({target, "", &manifest, "", nullptr}));
    const auto response = site.send("POST", "/auth/requests",
                                    JsonObjectText()
                                        .text("redirectTo", target)
                                        .text("sessionKey", site.key.text())
                                        .text("sig", sig)
                                        .json("contract", kApp)
                                        .str());
    CHECK(response.status == 400);
  }
}

} // namespace
} // namespace trellis::vectors
