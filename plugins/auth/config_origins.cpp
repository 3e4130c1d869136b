#include "config_origins.h"

#include <algorithm>

namespace trellis::auth {

bool is_loopback(const Url &url) {
  return url.host == "localhost" || url.host == "127.0.0.1" || url.host == "[::1]";
}

std::string canonical_location(std::string_view text) {
  auto url = parse_url(text);
  if (!url) return std::string(text);
  if (is_loopback(*url)) url->host = "localhost";
  auto out = url->text();
  if (out.ends_with('/')) out.pop_back();
  return out;
}

std::vector<std::string> canonical_locations(const std::vector<std::string> &texts) {
  std::vector<std::string> out;
  for (const auto &text : texts) {
    auto location = canonical_location(text);
    if (std::find(out.begin(), out.end(), location) == out.end()) out.push_back(std::move(location));
  }
  return out;
}

bool may_be_insecure(const Url &url, const std::vector<std::string> &allowed_origins) {
  return is_loopback(url) ||
         std::find(allowed_origins.begin(), allowed_origins.end(), url.origin()) != allowed_origins.end();
}

std::string origin_of(std::string_view text) {
  const auto url = parse_url(text);
  if (!url) return {};
  const auto origin = url->origin();
  return origin == "null" ? std::string() : origin;
}

} // namespace trellis::auth
