#include "wire/connect_token.h"

#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr std::int64_t kNow = 1767225600;

std::string denial_of(std::string_view text, std::int64_t now = kNow) {
  const auto token = check_connect_token(text, now);
  return token ? "" : token.error();
}

std::string with(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("a token is accepted by the clock it was made for") {
  const auto key = SessionKey::generate();
  const auto token = check_connect_token(make_connect_token(key, kNow, "digest"), kNow);
  REQUIRE(token);
  CHECK(token->session_key == key.text());
  CHECK(token->contract_digest == "digest");
  CHECK(token->iat == kNow);
  CHECK(token->use.empty());
}

TEST_CASE("a token may say what its connection is for") {
  const auto key = SessionKey::generate();
  const std::string text = make_connect_token(key, kNow, "digest", "stream");
  CHECK(check_connect_token(text, kNow)->use == "stream");
  CHECK(check_connect_token(with(text, "\"stream\"", "\"other\""), kNow)->use.empty());
  CHECK(check_connect_token(with(text, "\"stream\"", "7"), kNow)->use.empty());
}

TEST_CASE("a missing token is told apart from a bad one") {
  CHECK(denial_of("") == "auth_token_required");
  CHECK(denial_of(" ") == "invalid_auth_token");
  CHECK(denial_of("null") == "invalid_auth_token");
  CHECK(denial_of("[]") == "invalid_auth_token");
  CHECK(denial_of("{}") == "invalid_auth_token");
}

TEST_CASE("freshness is checked before the signature") {
  const std::string text = make_connect_token(SessionKey::generate(), kNow, "digest");
  const std::string forged = with(text, "\"digest\"", "\"other\"");
  CHECK(denial_of(text, kNow + 30).empty());
  CHECK(denial_of(text, kNow - 30).empty());
  CHECK(denial_of(text, kNow + 31) == "iat_out_of_range");
  CHECK(denial_of(forged, kNow + 31) == "iat_out_of_range");
  CHECK(denial_of(forged, kNow) == "invalid_signature");
}

TEST_CASE("the time has to be an integral number") {
  const std::string text = make_connect_token(SessionKey::generate(), kNow, "digest");
  CHECK(denial_of(with(text, "1767225600", "1767225600.0")).empty());
  CHECK(denial_of(with(text, "1767225600", "17672256e2")).empty());
  CHECK(denial_of(with(text, "1767225600", "1767225600.5")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "1767225600", "true")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "1767225600", "1e999")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "1767225600", "1e300")) == "iat_out_of_range");
  CHECK(denial_of(with(text, "1767225600", "-1e300")) == "iat_out_of_range");
}

TEST_CASE("every member is needed in its own kind") {
  const std::string text = make_connect_token(SessionKey::generate(), kNow, "digest");
  CHECK(denial_of(with(text, "\"v\":1", "\"v\":1.0")).empty());
  CHECK(denial_of(with(text, "\"v\":1", "\"v\":true")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "\"v\":1", "\"v\":1.5")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "sessionKey", "key")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "iat", "at")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "contractDigest", "digest")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "sig", "signature")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "\"digest\"", "\"a b\"")) == "invalid_auth_token");
  CHECK(denial_of(with(text, "\"digest\"", "[\"digest\"]")) == "invalid_auth_token");
}

TEST_CASE("nesting and size of a token are limited") {
  CHECK(denial_of(std::string(100000, '[')) == "invalid_auth_token");
  CHECK(denial_of("{\"v\":" + std::string(100000, ' ') + "1}") == "invalid_auth_token");
}
