#include "wire/login_proofs.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

std::string value_with_context(std::string_view context) {
  const JsonDocument document = *parse_json(context);
  return *oauth_init_value({"/", "", nullptr, "d", &document});
}

} // namespace

TEST_CASE("times are signed as their shortest decimal text") {
  CHECK(bootstrap_client_value(1767225601) == "1767225601");
  CHECK(bootstrap_client_value(1767225601.5) == "1767225601.5");
  CHECK(nats_connect_value(5, "digest") == "5:digest");
}

TEST_CASE("the digest of a contract is signed as a JSON string") {
  CHECK(*oauth_init_value({"/x", "github", nullptr, "dg", nullptr}) == "/x:github:\"dg\":null");
}

TEST_CASE("a contract is signed in canonical form and outranks the digest") {
  const JsonDocument contract = *parse_json(R"({ "b": 1.0, "a": -0.0, "\u20ac": "\u00e9" })");
  CHECK(*oauth_init_value({"/", "", &contract, "dg", nullptr}) ==
        "/::{\"a\":0,\"b\":1,\"\xE2\x82\xAC\":\"\xC3\xA9\"}:null");
}

TEST_CASE("a context that is no object is signed as none") {
  CHECK(value_with_context(R"({"z":1,"a":[2]})") == R"(/::"d":{"a":[2],"z":1})");
  CHECK(value_with_context("[1]") == R"(/::"d":null)");
  CHECK(value_with_context("\"x\"") == R"(/::"d":null)");
}

TEST_CASE("a contract with a number beyond all bounds can't be signed") {
  const JsonDocument contract = *parse_json(R"({"a":1e999})");
  CHECK(oauth_init_value({"/", "", &contract, "", nullptr}).error().code == "non_canonical_number");
}

TEST_CASE("a logout is signed with the members that its body holds") {
  CHECK(logout_session_value({5, {}, {}, {}, {}}) == R"({"iat":5})");
  CHECK(logout_session_value({5, true, false, "/\"bye", "json"}) ==
        R"({"federatedProviderLogout":false,"iat":5,"providerLogout":true,"responseMode":"json","returnTo":"/\"bye"})");
}
