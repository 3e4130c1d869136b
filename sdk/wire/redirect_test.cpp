#include "wire/redirect.h"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace trellis;

namespace {

const std::vector<std::string> kListed = {"https://app.acme.test", "http://[::1]:7000"};

// The redirect as it is used, or "refused".
std::string used(std::string_view redirect_to, const std::vector<std::string> &origins = kListed) {
  const auto redirect = validate_redirect(redirect_to, origins);
  return redirect ? *redirect : "refused";
}

} // namespace

TEST_CASE("a path is used as it is") {
  CHECK(used("/") == "/");
  CHECK(used("/a/../b c?d#e") == "/a/../b c?d#e");
  CHECK(used("/\\evil.test") == "/\\evil.test");
  CHECK(used("//evil.test") == "refused");
}

TEST_CASE("a URL of a listed origin is used in its normal form") {
  CHECK(used("HTTPS://App.Acme.test:443") == "https://app.acme.test/");
  CHECK(used("https://app.acme.test:8443/") == "refused");
  CHECK(used("http://app.acme.test/") == "refused");
  CHECK(used("https://app.acme.test.evil.test/") == "refused");
  CHECK(used("https://app.acme.test@evil.test/") == "refused");
  CHECK(used("https://evil.test\\@app.acme.test/") == "refused");
}

TEST_CASE("loopback hosts are always allowed, except in brackets") {
  CHECK(used("http://localhost:9999/cb") == "http://localhost:9999/cb");
  CHECK(used("http://127.1:1/cb") == "http://127.0.0.1:1/cb");
  CHECK(used("http://[::1]:5173/cb") == "refused");
  CHECK(used("http://[0::1]:7000/cb") == "http://[::1]:7000/cb");
  CHECK(used("http://localhost.evil.test/") == "refused");
}

TEST_CASE("a wildcard allows every web origin and nothing else") {
  const std::vector<std::string> any = {"*"};
  CHECK(used("https://x.test/a", any) == "https://x.test/a");
  CHECK(used("ftp://x.test/", any) == "refused");
  CHECK(used("javascript:alert(1)", any) == "refused");
  CHECK(used("app://x.test/", any) == "refused");
  CHECK(used("relative/path", any) == "refused");
  CHECK(used("", any) == "refused");
  CHECK(used(" /x", any) == "refused");
  CHECK(used("https://", any) == "refused");
}
