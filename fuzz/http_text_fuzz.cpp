// The texts of an HTTP request that the control plane reads itself: path, query, cookie, redirect target, origin.

#include "contracts/encoding.h"
#include "http_cookie.h"
#include "http_router.h"
#include "http_urls.h"
#include "require.h"
#include "wire/redirect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace trellis;
  using namespace trellis::auth;
  const std::string text(as_text({data, size}));

  HttpRouter router;
  router.add("GET", "/auth/flow/:flowId", [](const HttpRequest &, const HttpRouter::Match &match) {
    fuzz::require(match.parameters.size() == 1);
    return HttpResponse{};
  });
  router.add("GET", "/_trellis/assets/*",
             [](const HttpRequest &, const HttpRouter::Match &) { return HttpResponse{}; });
  HttpRequest request;
  request.method = "GET";
  for (const char *prefix : {"", "/auth/flow/", "/_trellis/assets/"}) {
    request.target = prefix + text;
    static_cast<void>(router.route(request));
  }
  static_cast<void>(cookie_value(text, kOauthCookie));

  static_cast<void>(redirect_location(text, {{"flowId", "01K0"}}));
  if (const auto target = validate_redirect(text, std::vector<std::string>{"*"})) {
    const auto location = redirect_location(*target, {{"flowId", "01K0"}});
    // A location is a header: it must stay one line, and setting the parameter again changes nothing.
    fuzz::require(location.find_first_of("\r\n") == std::string::npos);
    fuzz::require(redirect_location(location, {{"flowId", "01K0"}}) == location);
  }
  static_cast<void>(valid_return_to(text, "https://app.example", {"https://app.example"}));
  static_cast<void>(secure_cookie(text, text, {text}));
  return 0;
}
