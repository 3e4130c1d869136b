#include "wire/redirect.h"

#include "wire/url.h"
#include <algorithm>

namespace trellis {
namespace {

tl::unexpected<Error> refused(std::string_view redirect_to, std::string message) {
  return fail("invalid_redirect", std::string(redirect_to), std::move(message),
              "a path, or an http or https URL of an allowed origin");
}

// As browsers write the host: with brackets, so that [::1] doesn't match the "::1" that 04 §8.2 lists.
bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1";
}

bool is_listed(const std::string &origin, std::span<const std::string> allowed) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string &entry) { return entry == "*" || entry == origin; });
}

} // namespace

Result<std::string> validate_redirect(std::string_view redirect_to, std::span<const std::string> allowed_origins) {
  if (redirect_to.starts_with("//")) return refused(redirect_to, "a URL without scheme");
  if (redirect_to.starts_with('/')) return std::string(redirect_to);
  const auto url = parse_url(redirect_to);
  if (!url) return refused(redirect_to, url.error().message);
  if (url->scheme != "http" && url->scheme != "https") return refused(redirect_to, "scheme " + url->scheme);
  if (!is_loopback(*url->host) && !is_listed(url->origin(), allowed_origins))
    return refused(redirect_to, "the origin " + url->origin() + " is not allowed");
  return url->text();
}

} // namespace trellis
