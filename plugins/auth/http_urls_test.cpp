#include "http_cookie.h"
#include "http_reply.h"
#include "http_urls.h"

#include <catch2/catch_test_macros.hpp>

namespace trellis::auth {
namespace {

TEST_CASE("setting a parameter replaces it, drops its repetitions and keeps the fragment") {
  CHECK(redirect_location("https://a.test/x?b=1&a=2&b=3#f", {{"b", "n"}}) == "https://a.test/x?b=n&a=2#f");
  CHECK(redirect_location("https://a.test", {{"flowId", "F"}}) == "https://a.test/?flowId=F");
  CHECK(redirect_location("/p?x=%C3%A4+b", {{"m", "a b&=+"}}) == "/p?x=%C3%A4+b&m=a+b%26%3D%2B");
}

TEST_CASE("a path never becomes another host") {
  CHECK(redirect_location("/\\evil.test/x", {{"f", "1"}}) == "/.//evil.test/x?f=1");
  CHECK(redirect_location("/.//evil.test", {{"f", "1"}}) == "/.//evil.test?f=1");
  CHECK(redirect_location("/a/../b", {{"f", "1"}}) == "/b?f=1");
}

TEST_CASE("portal links use the origin alone") {
  CHECK(password_portal_url("https://t.test/base?x#y", "F1", "/back?a=b") ==
        "https://t.test/_trellis/portal/account/password?flowId=F1&returnTo=%2Fback%3Fa%3Db");
  CHECK(portal_url("no url", "/x", {}).empty());
}

TEST_CASE("a cookie is the first of exactly its name") {
  CHECK(cookie_value("xtrellis_oauth=0; trellis_oauth=1; trellis_oauth=2", "trellis_oauth") == "1");
  CHECK(cookie_value("trellis_oauth=a%3Db=c", "trellis_oauth") == "a=b=c");
  CHECK(cookie_value("trellis_oauth", "trellis_oauth") == std::nullopt);
  CHECK(cookie_value("", "trellis_oauth") == std::nullopt);
  CHECK(cookie_value(";;=;trellis_oauth=", "trellis_oauth") == "");
  CHECK(cookie_value("trellis_oauth=%ff", "trellis_oauth") == std::nullopt);
}

TEST_CASE("percent-decoding takes whole escapes of UTF-8 only") {
  CHECK(decode_component("a%20b%2F") == "a b/");
  CHECK(decode_component("%C3%A4") == "\xC3\xA4");
  CHECK(decode_component("%") == std::nullopt);
  CHECK(decode_component("%4") == std::nullopt);
  CHECK(decode_component("%4g") == std::nullopt);
  CHECK(decode_component("%C3") == std::nullopt);
}

TEST_CASE("a return address is of the app's origin, or of a listed one without app") {
  CHECK(valid_return_to("https://a.test/bye", "https://a.test", {}));
  CHECK_FALSE(valid_return_to("https://a.test.evil/bye", "https://a.test", {"https://a.test.evil"}));
  CHECK_FALSE(valid_return_to("https://b.test/", std::nullopt, {"*"}));
  CHECK(valid_return_to("https://b.test/", std::nullopt, {"*", "https://b.test"}));
  CHECK_FALSE(valid_return_to("//b.test/", std::nullopt, {"https://b.test"}));
}

} // namespace
} // namespace trellis::auth
