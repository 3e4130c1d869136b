#include "server_clock.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "http/http_client.h"
#include "login_flow.h"
#include "policy/remote_policy_answers.h"
#include "wire/clock_offset.h"
#include "wire/login_proofs.h"
#include "wire/ulid.h"
#include <cmath>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

constexpr HttpLimits kQuick{std::chrono::milliseconds(3000), std::chrono::milliseconds(5000), std::size_t{1} << 20};
constexpr double kLeast = 1000; // of a difference worth a correction, in milliseconds

std::optional<std::int64_t> time_in(const Result<HttpAnswer> &answer) {
  if (!answer) return std::nullopt;
  const auto body = parse_json(answer->body);
  return body ? server_time(*body) : std::nullopt;
}

} // namespace

std::int64_t ServerClock::now() const {
  return corrected_iat(unix_ms_now(), offset_ms_);
}

bool ServerClock::learn(const LoginSession &session) {
  HttpClient http(kQuick);
  const auto iat = now();
  const auto proof =
      session.key.sign_domain(domain::kBootstrapClient, bootstrap_client_value(static_cast<double>(iat)));
  const auto request =
      JsonObjectText().text("sessionKey", session.key.text()).number("iat", iat).text("sig", proof).str();
  const auto sent = unix_ms_now();
  const auto there = time_in(http.post_json(route_url(session.trellis_url, "/bootstrap/client"), request));
  if (!there) return false;
  const double offset = clock_offset_ms(sent, unix_ms_now(), *there);
  return std::abs(offset - offset_ms_.exchange(offset)) >= kLeast;
}

} // namespace trellis::cli
