#include "wire/session_key.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr std::string_view kSeed = "m-lgUb8-BuX7oH72TGPYKAfrM-MnFBYqZdpuu7HRbUU";

std::string seed_error(std::string_view text) {
  const auto key = SessionKey::from_seed(text);
  return key ? "" : key.error().code;
}

} // namespace

TEST_CASE("white space around a seed is ignored") {
  const auto key = SessionKey::from_seed("\r\n\t " + std::string(kSeed) + " \n");
  REQUIRE(key);
  CHECK(key->text() == "3YCIRlb_0UM6rELt09Nax0-ZBPpgLBEb8Cn07Qyz-kY");
  CHECK(key->inbox_prefix() == "_INBOX.3YCIRlb_0UM6rELt");
  CHECK(key->seed_text().reveal() == kSeed);
}

TEST_CASE("seeds that are none are refused") {
  CHECK(seed_error("") == "invalid_seed_length");
  CHECK(seed_error(" \n") == "invalid_seed_length");
  CHECK(seed_error(std::string(41, 'A')) == "invalid_seed_length");
  CHECK(seed_error(std::string(44, 'A')) == "invalid_seed_length");
  CHECK(seed_error(std::string(42, 'A') + "!") == "invalid_seed");
  CHECK(seed_error("m-lgUb8-BuX7oH72TGPYKA frM-MnFBYqZdpuu7HRbUU") == "invalid_seed");
}

TEST_CASE("a cloned session key signs the same") {
  const auto key = SessionKey::generate();
  const auto copy = key.clone();
  CHECK(copy.text() == key.text());
  CHECK(copy.inbox_prefix() == key.inbox_prefix());
  CHECK(copy.sign_domain("d", "v") == key.sign_domain("d", "v"));
}

TEST_CASE("signatures are read in both alphabets and with padding") {
  const auto key = *SessionKey::from_seed(kSeed);
  std::string signature = key.sign_domain("nats-connect", "1:d");
  CHECK(verify_domain(key.text(), "nats-connect", "1:d", signature));
  for (char &c : signature)
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  CHECK(verify_domain(key.text() + "=", "nats-connect", "1:d", signature + "=="));
}

TEST_CASE("a signature or key that is malformed is invalid") {
  const auto key = *SessionKey::from_seed(kSeed);
  const std::string signature = key.sign_domain("d", "v");
  CHECK_FALSE(verify_domain("", "d", "v", signature));
  CHECK_FALSE(verify_domain(key.text().substr(1), "d", "v", signature));
  CHECK_FALSE(verify_domain(key.text() + "AA", "d", "v", signature));
  CHECK_FALSE(verify_domain(key.text(), "d", "v", ""));
  CHECK_FALSE(verify_domain(key.text(), "d", "v", signature.substr(2)));
  CHECK_FALSE(verify_domain(key.text(), "d", "v", signature + "AAAA"));
  CHECK_FALSE(verify_domain(key.text(), "d", "v", "\xFF\xFE"));
}

TEST_CASE("the domain separates signatures") {
  const auto key = *SessionKey::from_seed(kSeed);
  CHECK_FALSE(verify_domain(key.text(), "other", "v", key.sign_domain("d", "v")));
}

TEST_CASE("keys of small order verify nothing") {
  const std::string zero_key(43, 'A');
  const std::string identity_key = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  const std::string signature = identity_key.substr(0, 42) + std::string(44, 'A');
  CHECK_FALSE(verify_domain(zero_key, "d", "v", signature));
  CHECK_FALSE(verify_domain(identity_key, "d", "v", signature));
}

TEST_CASE("the written forms of keys and signatures are exact") {
  CHECK(is_session_key_text(std::string(43, '_')));
  CHECK_FALSE(is_session_key_text(std::string(42, 'A')));
  CHECK_FALSE(is_session_key_text(std::string(42, 'A') + "="));
  CHECK(is_signature_text(std::string(86, '-')));
  CHECK_FALSE(is_signature_text(std::string(85, 'A') + "+"));
  CHECK_FALSE(is_signature_text(std::string(87, 'A')));
}

TEST_CASE("the key prefix of a short text is that text") {
  CHECK(key16("abc") == "abc");
  CHECK(operations_bucket("3YCIRlb_0UM6rELt09") == "trellis_operations_3YCIRlb_0UM6rELt");
}
