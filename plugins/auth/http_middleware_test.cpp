// Routing, CORS, rate limit and the listener's helpers, without a control plane behind them.
#include "http_cors.h"
#include "http_rate_limit.h"
#include "http_reply.h"
#include "http_router.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

namespace trellis::auth {
namespace {

const std::vector<std::string> kListed = {"https://app.test"};
const std::vector<std::string> kAny = {"*"};

HttpRequest request(std::string method, std::string target, std::string origin = "", std::string asked = "") {
  HttpRequest out;
  out.method = std::move(method);
  out.target = std::move(target);
  if (!origin.empty()) out.headers.emplace_back("origin", std::move(origin));
  if (!asked.empty()) out.headers.emplace_back("access-control-request-headers", std::move(asked));
  return out;
}

// "204 " for an answered preflight, then the headers in alphabetical order.
std::string cors(const HttpRequest &asked, const std::vector<std::string> &origins, std::string_view allowed = "") {
  auto decision = decide_cors(cors_row(path_of(asked.target)), asked, origins, allowed);
  std::sort(decision.headers.begin(), decision.headers.end());
  std::string out = decision.answered ? "204" : "";
  for (const auto &[name, value] : decision.headers)
    out += " " + name.substr(name.starts_with("Access-Control-") ? 15 : 0) + "=" + value;
  return out;
}

TEST_CASE("listed origins are named, others only get the credentials header") {
  CHECK(cors(request("GET", "/auth/x", "https://app.test"), kListed) ==
        " Allow-Credentials=true Allow-Origin=https://app.test Vary=Origin");
  CHECK(cors(request("GET", "/auth/x", "https://evil.test"), kListed) == " Allow-Credentials=true Vary=Origin");
  CHECK(cors(request("POST", "/bootstrap/client"), kListed) == " Allow-Credentials=true Vary=Origin");
  CHECK(cors(request("OPTIONS", "/auth/x", "https://app.test", "a ,\tb,"), kListed) ==
        "204 Allow-Credentials=true Allow-Headers=a,b Allow-Methods=GET,POST,OPTIONS Allow-Origin=https://app.test "
        "Vary=Origin, Access-Control-Request-Headers");
  CHECK(cors(request("OPTIONS", "/bootstrap/x", "https://evil.test"), kListed) ==
        "204 Allow-Credentials=true Allow-Methods=GET,POST,OPTIONS Vary=Origin");
}

TEST_CASE("a wildcard allows every origin without credentials") {
  CHECK(cors(request("GET", "/auth/x", "https://x.test"), kAny) == " Allow-Origin=*");
  CHECK(cors(request("OPTIONS", "/auth/x", "https://x.test"), kAny) ==
        "204 Allow-Methods=GET,POST,OPTIONS Allow-Origin=*");
  CHECK(cors(request("OPTIONS", "/auth/x", "https://x.test", "a"), kAny) ==
        "204 Allow-Headers=a Allow-Methods=GET,POST,OPTIONS Allow-Origin=* Vary=Access-Control-Request-Headers");
}

TEST_CASE("local login echoes any origin, and says nothing without one") {
  CHECK(cors(request("POST", "/auth/login/local", "https://evil.test"), kListed) ==
        " Allow-Credentials=true Allow-Methods=GET,POST,OPTIONS Allow-Origin=https://evil.test Vary=Origin");
  CHECK(cors(request("POST", "/auth/login/local"), kListed).empty());
  CHECK(cors(request("OPTIONS", "/auth/login/local"), kListed) == "204");
}

TEST_CASE("flow routes allow listed origins and the portal's, and never answer OPTIONS on the flow itself") {
  const std::string allowed = " Allow-Credentials=true Allow-Methods=GET,POST,OPTIONS Allow-Origin=";
  CHECK(cors(request("GET", "/auth/flow/F", "https://app.test"), kListed) == allowed + "https://app.test Vary=Origin");
  CHECK(cors(request("GET", "/auth/flow/F", "https://x.test"), kAny) == allowed + "https://x.test Vary=Origin");
  CHECK(cors(request("GET", "/auth/flow/F", "https://portal.test"), kListed, "https://portal.test") ==
        allowed + "https://portal.test Vary=Origin");
  CHECK(cors(request("GET", "/auth/flow/F", "https://evil.test"), kListed).empty());
  CHECK(cors(request("GET", "/auth/flow/F"), kAny).empty());
  CHECK(cors(request("OPTIONS", "/auth/flow/F", "https://app.test"), kListed).empty());
  CHECK(cors(request("OPTIONS", "/auth/flow/F/approval", "https://app.test"), kListed).starts_with("204 "));
  CHECK(cors(request("OPTIONS", "/auth/flow/F/register/local", "https://app.test"), kListed).starts_with("204 "));
  CHECK(cors(request("OPTIONS", "/auth/flow/F/other", "https://app.test"), kListed).empty());
}

TEST_CASE("bind allows the flow's app alone, whatever is listed") {
  CHECK(cors(request("POST", "/auth/flow/F/bind", "https://app.test"), kListed).empty());
  CHECK(cors(request("POST", "/auth/flow/F/bind", "https://app.test"), kAny).empty());
  CHECK(cors(request("OPTIONS", "/auth/flow/F/bind?x", "https://one.test"), kListed, "https://one.test")
            .starts_with("204 "));
  CHECK(cors_row("/auth/flow/F/bind").flow_id == "F");
}

TEST_CASE("version and portal have no CORS, nor have paths that only look like /auth") {
  CHECK(cors(request("OPTIONS", "/version", "https://app.test"), kAny).empty());
  CHECK(cors(request("GET", "/_trellis/portal", "https://app.test"), kAny).empty());
  CHECK(cors(request("GET", "/authx", "https://app.test"), kAny).empty());
}

TEST_CASE("a window allows its number, tells what remains, and begins anew when it is over") {
  RateLimiter limiter(3000, 2);
  CHECK(limiter.count("a", 1000).remaining == 1);
  const auto second = limiter.count("a", 1500);
  CHECK(second.allowed);
  CHECK(second.remaining == 0);
  CHECK(second.reset_seconds == 3);
  const auto third = limiter.count("a", 3999);
  CHECK_FALSE(third.allowed);
  CHECK(third.reset_seconds == 1);
  CHECK(limiter.count("b", 3999).allowed);
  CHECK(limiter.count("a", 4000).remaining == 1);
}

TEST_CASE("a clock that is set back doesn't lock anybody out for longer than a window") {
  RateLimiter limiter(1000, 1);
  CHECK(limiter.count("a", 1'000'000).allowed);
  CHECK(limiter.count("a", 500'000).allowed);
}

TEST_CASE("many addresses don't grow the table beyond those of a window") {
  RateLimiter limiter(10, 1);
  for (int i = 0; i < 100'000; ++i)
    limiter.count(std::to_string(i), i);
  CHECK(limiter.count("99999", 99'999).allowed == false);
  CHECK(limiter.count("1", 100'000).allowed);
}

TEST_CASE("limit headers round up to seconds") {
  RateLimiter limiter(2500, 1);
  HttpResponse response;
  limiter.add_headers(response, limiter.count("a", 0));
  limiter.add_headers(response, limiter.count("a", 1));
  std::string out;
  for (const auto &[name, value] : response.headers)
    out += name + "=" + value + " ";
  CHECK(out == "RateLimit-Policy=1;w=3 RateLimit-Limit=1 RateLimit-Remaining=0 RateLimit-Reset=3 Retry-After=3 ");
}

std::string routed(const HttpRequest &asked) {
  HttpRouter router;
  const auto tell = [](const std::string &name) {
    return [name](const HttpRequest &, const HttpRouter::Match &match) {
      auto text = name;
      for (const auto &parameter : match.parameters)
        text += "|" + parameter;
      return text_reply(200, text);
    };
  };
  router.add("GET", "/version", tell("version"));
  router.add("GET", "/flow/:id", tell("flow"));
  router.add("POST", "/flow/:id/bind", tell("bind"));
  router.add("GET", "/assets/*", tell("assets"));
  return router.route(asked).value_or(not_found()).body;
}

TEST_CASE("paths match exactly, and parameters are decoded after matching") {
  CHECK(routed(request("GET", "/version?x=1")) == "version");
  CHECK(routed(request("HEAD", "/version")) == "version");
  CHECK(routed(request("GET", "/version/")) == "404 Not Found");
  CHECK(routed(request("POST", "/version")) == "404 Not Found");
  CHECK(routed(request("GET", "/flow/a%20b")) == "flow|a b");
  CHECK(routed(request("GET", "/flow/a%2Fbind")) == "flow|a/bind");
  CHECK(routed(request("GET", "/flow/%zz")) == "flow|%zz");
  CHECK(routed(request("GET", "/flow/")) == "404 Not Found");
  CHECK(routed(request("POST", "/flow/x/bind")) == "bind|x");
  CHECK(routed(request("POST", "/flow/x/bind/y")) == "404 Not Found");
  CHECK(routed(request("GET", "/assets/a/b%2e")) == "assets|a/b.");
  CHECK(routed(request("GET", "/assets")) == "404 Not Found");
  CHECK(routed(request("GET", "")) == "404 Not Found");
  CHECK(routed(request("GET", "*")) == "404 Not Found");
  CHECK(routed(request("GET", "http://host/version")) == "404 Not Found");
}

TEST_CASE("response bodies escape what they carry") {
  CHECK(error_reply(400, "a\"b\n").body == R"({"error":"a\"b\n"})");
  CHECK(stale_reply(5).body == R"({"reason":"iat_out_of_range","serverNow":5})");
}

} // namespace
} // namespace trellis::auth
