#include "contracts/json.h"
#include "server_clock.h"
#include "tests/support/http_server.h"
#include "wire/login_proofs.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::cli;
using trellis::test::http_answer;
using trellis::test::HttpRequest;
using trellis::test::HttpServer;

namespace {

LoginSession session_at(const std::string &url) {
  return {url, "nats://127.0.0.1:1", SessionKey::generate(), "digest", "ey.jwt", SecretText("SUSEED"), ""};
}

std::int64_t here() {
  return unix_ms_now() / 1000;
}

bool near(std::int64_t a, std::int64_t b) {
  return std::abs(a - b) <= 10; // seconds that a busy machine may take
}

} // namespace

TEST_CASE("A clock that is off is asked for with a proof, and set once") {
  HttpServer server([](const HttpRequest &) {
    return http_answer(400, R"({"reason":"iat_out_of_range","serverNow":)" + std::to_string(here() - 3600) + "}");
  });
  const auto session = session_at(server.url() + "/base/");
  ServerClock clock;
  CHECK(near(clock.now(), here()));
  CHECK(clock.learn(session));
  CHECK(near(clock.now(), here() - 3600));

  const auto asked = server.requests().at(0);
  CHECK(asked.method == "POST");
  CHECK(asked.target == "/base/bootstrap/client");
  const auto body = parse_json(asked.body).value();
  const auto iat = find_member(body, "iat")->GetInt64();
  CHECK(near(iat, here()));
  CHECK(session.key.text() == string_member(body, "sessionKey"));
  CHECK(verify_domain(session.key.text(), domain::kBootstrapClient, bootstrap_client_value(static_cast<double>(iat)),
                      string_member(body, "sig")));
}

TEST_CASE("An answer without a usable time leaves the clock as it is") {
  for (const std::string body : {"", "no JSON", "[]", "{}", R"({"serverNow":"1760000000"})", R"({"serverNow":-5})",
                                 R"({"serverNow":1e300})", R"({"serverNow":9223372036854775807})"}) {
    INFO(body);
    HttpServer server([&](const HttpRequest &) { return http_answer(200, body); });
    ServerClock clock;
    CHECK_FALSE(clock.learn(session_at(server.url())));
    CHECK(near(clock.now(), here()));
  }
  ServerClock clock;
  CHECK_FALSE(clock.learn(session_at("http://127.0.0.1:1")));
  CHECK(near(clock.now(), here()));
}
