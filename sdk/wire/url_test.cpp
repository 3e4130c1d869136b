#include "wire/url.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

// The written form, or the error's code.
std::string written(std::string_view text) {
  const auto url = parse_url(text);
  return url ? url->text() : url.error().code;
}

} // namespace

TEST_CASE("scheme and host are lower case and the default port is dropped") {
  CHECK(written("HTTPS://App.Acme.Example:443/a") == "https://app.acme.example/a");
  CHECK(written("http://a.test:80") == "http://a.test/");
  CHECK(written("http://a.test:443") == "http://a.test:443/");
  CHECK(written("http://a.test:0080") == "http://a.test/");
  CHECK(written("http://a.test:") == "http://a.test/");
  CHECK(written("https://a.test:0") == "https://a.test:0/");
}

TEST_CASE("ports that are none are refused") {
  CHECK(written("http://a.test:65536") == "url_port");
  CHECK(written("http://a.test:99999999999999999999") == "url_port");
  CHECK(written("http://a.test:8a") == "url_port");
  CHECK(written("http://a.test:-1") == "url_port");
}

TEST_CASE("dot segments are resolved, in all their spellings") {
  CHECK(written("http://a/b/../c/./d") == "http://a/c/d");
  CHECK(written("http://a/../../b") == "http://a/b");
  CHECK(written("http://a/b/..") == "http://a/");
  CHECK(written("http://a/b/.") == "http://a/b/");
  CHECK(written("http://a/b/%2e%2E/c") == "http://a/c");
  CHECK(written("http://a/b/.%2e/%2E/c") == "http://a/c");
  CHECK(written("http://a/b/...") == "http://a/b/...");
  CHECK(written("http://a//../b") == "http://a/b");
}

TEST_CASE("backslashes are slashes, and any number of slashes starts the host") {
  CHECK(written("https:\\\\a\\b\\..\\c") == "https://a/c");
  CHECK(written("https:a/b") == "https://a/b");
  CHECK(written("https:///a/b") == "https://a/b");
  CHECK(written("https://a\\@evil.test/") == "https://a/@evil.test/");
}

TEST_CASE("controls around a URL and line ends in it are ignored") {
  CHECK(written(" \x01http://a/b \n") == "http://a/b");
  CHECK(written("ht\ttp://a\n.test/b\r") == "http://a.test/b");
}

TEST_CASE("each part is percent-encoded by its own set") {
  CHECK(written("http://a/b c\"<>`{}|^[]'") == "http://a/b%20c%22%3C%3E%60%7B%7D|^[]'");
  CHECK(written("http://a/?b c\"<>`{}|'") == "http://a/?b%20c%22%3C%3E`{}|%27");
  CHECK(written("http://a/#b c\"<>`{}|'") == "http://a/#b%20c%22%3C%3E%60{}|'");
  CHECK(written("http://a/\xC3\xA9?\xC3\xA9#\xC3\xA9") == "http://a/%C3%A9?%C3%A9#%C3%A9");
  CHECK(written("http://a/%zz%4") == "http://a/%zz%4");
  CHECK(written("http://a/\x7F") == "http://a/%7F");
}

TEST_CASE("bytes that are no UTF-8 become replacement characters") {
  CHECK(written("http://a/\xFF") == "http://a/%EF%BF%BD");
  CHECK(written("http://a/\xED\xA0\x80") == "http://a/%EF%BF%BD");
}

TEST_CASE("empty query and fragment are kept") {
  CHECK(written("http://a?#") == "http://a/?#");
  CHECK(written("http://a#b?c") == "http://a/#b?c");
}

TEST_CASE("credentials end at the last @") {
  CHECK(written("http://u:p@a/") == "http://u:p@a/");
  CHECK(written("http://u:@a/") == "http://u@a/");
  CHECK(written("http://:p@a/") == "http://:p@a/");
  CHECK(written("http://@a/") == "http://a/");
  CHECK(written("http://good.test@evil.test@a/") == "http://good.test%40evil.test@a/");
  CHECK(written("http://u:p:q@a/") == "http://u:p%3Aq@a/");
  CHECK(written("http://u@/") == "url_invalid");
}

TEST_CASE("IPv4 addresses are written in one form") {
  CHECK(written("http://127.1/") == "http://127.0.0.1/");
  CHECK(written("http://0x7f.0.0.1/") == "http://127.0.0.1/");
  CHECK(written("http://2130706433/") == "http://127.0.0.1/");
  CHECK(written("http://0177.0.0.01/") == "http://127.0.0.1/");
  CHECK(written("http://%31%32%37.0.0.1./") == "http://127.0.0.1/");
  CHECK(written("http://0x/") == "http://0.0.0.0/");
}

TEST_CASE("hosts that end in a number are IPv4 addresses or nothing") {
  CHECK(written("http://256.0.0.1/") == "url_host");
  CHECK(written("http://1.2.3.4.5/") == "url_host");
  CHECK(written("http://4294967296/") == "url_host");
  CHECK(written("http://99999999999999999999999/") == "url_host");
  CHECK(written("http://a.1/") == "url_host");
  CHECK(written("http://1.09/") == "url_host");
  CHECK(written("http://a.1b/") == "http://a.1b/");
}

TEST_CASE("IPv6 addresses are written in one form") {
  CHECK(written("http://[0:0:0:0:0:0:0:1]:80/") == "http://[::1]/");
  CHECK(written("http://[1:0:0:2:0:0:0:3]/") == "http://[1:0:0:2::3]/");
  CHECK(written("http://[1:0:2:0:3:0:4:0]/") == "http://[1:0:2:0:3:0:4:0]/");
  CHECK(written("http://[::FFFF:1.2.3.4]/") == "http://[::ffff:102:304]/");
  CHECK(written("http://[::]/") == "http://[::]/");
  CHECK(written("http://[1::2::3]/") == "url_host");
  CHECK(written("http://[::1/") == "url_host");
  CHECK(written("http://[::1%25eth0]/") == "url_host");
}

TEST_CASE("hosts with characters that they can't have are refused") {
  CHECK(written("http:///") == "url_invalid");
  CHECK(written("http://a b/") == "url_host");
  CHECK(written("http://a<b/") == "url_host");
  CHECK(written("http://a%2fb/") == "url_host");
  CHECK(written("http://a%00b/") == "url_host");
  CHECK(written("http://a^b/") == "url_host");
  CHECK(written("http://a_b.test/") == "http://a_b.test/");
}

TEST_CASE("hosts outside ASCII are refused by name") {
  CHECK(written("http://b\xC3\xBC\x63her.example/") == "url_host_not_ascii");
  CHECK(written("http://b%C3%BC\x63her.example/") == "url_host_not_ascii");
  CHECK(written("http://xn--bcher-kva.example/") == "http://xn--bcher-kva.example/");
}

TEST_CASE("texts without a usable scheme are refused") {
  CHECK(written("") == "url_scheme");
  CHECK(written("relative/path") == "url_scheme");
  CHECK(written("//host/path") == "url_scheme");
  CHECK(written("1http://a/") == "url_scheme");
  CHECK(written(":a") == "url_scheme");
  CHECK(written("file:///etc/passwd") == "url_scheme");
}

TEST_CASE("URLs of other schemes keep what only http rewrites") {
  CHECK(written("My-App://Callback:80/a/../b?c d'#e") == "my-app://Callback:80/b?c%20d'#e");
  CHECK(written("app:/a\\b") == "app:/a\\b");
  CHECK(written("app:/..//x") == "app:/.//x");
  CHECK(written("app://host") == "app://host");
  CHECK(written("app:///x") == "app:///x");
  CHECK(written("mailto:a b@c.test") == "mailto:a b@c.test");
  CHECK(written("app://a b/") == "url_host");
}

TEST_CASE("an origin is scheme, host and port") {
  CHECK(parse_url("https://u:p@A.test:443/x?y#z")->origin() == "https://a.test");
  CHECK(parse_url("http://a.test:8080/")->origin() == "http://a.test:8080");
  CHECK(parse_url("app://a.test/")->origin() == "null");
}
