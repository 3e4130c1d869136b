#include "http_cookie.h"

#include "config_origins.h"
#include "http_reply.h"

namespace trellis::auth {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

} // namespace

std::optional<std::string> cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const auto end = std::min(header.find(';'), header.size());
    const auto pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)) != name) continue;
    return decode_component(trimmed(pair.substr(equals + 1)));
  }
  return std::nullopt;
}

bool secure_cookie(const std::optional<std::string> &public_origin, std::string_view redirect_base,
                   const std::vector<std::string> &allow_insecure_origins) {
  const auto url = parse_url(public_origin ? std::string_view(*public_origin) : redirect_base);
  return !url || url->scheme != "http" || !may_be_insecure(*url, allow_insecure_origins);
}

} // namespace trellis::auth
