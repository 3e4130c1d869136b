// Redirect targets from outside: the written form of a URL is its own written form, and no other origin than the listed
// one and loopback passes.

#include "require.h"
#include "wire/redirect.h"
#include "wire/url.h"

#include <cstddef>
#include <cstdint>

using trellis::fuzz::require;

namespace {

void check_url(std::string_view text) {
  const auto url = trellis::parse_url(text);
  if (!url) return;
  const std::string written = url->text();
  const auto again = trellis::parse_url(written);
  require(again && again->text() == written && again->origin() == url->origin());
  require(written.find_first_of("\t\r\n") == std::string::npos);
}

void check_redirect(std::string_view text) {
  static const std::string kListed[] = {"https://app.test"};
  const auto redirect = trellis::validate_redirect(text, kListed);
  if (!redirect) return;
  if (redirect->starts_with('/')) return require(*redirect == text && !redirect->starts_with("//"));
  const auto url = trellis::parse_url(*redirect);
  require(url.has_value());
  require(url->origin() == kListed[0] || *url->host == "localhost" || *url->host == "127.0.0.1");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  check_url(text);
  check_redirect(text);
  return 0;
}
