#include "http_urls.h"

#include "config_origins.h"
#include "contracts/json_write.h"
#include "wire/url.h"
#include "wire/url_encoding.h"
#include <algorithm>

namespace trellis::auth {
namespace {

constexpr char kLoginPage[] = "/_trellis/portal/users/login";
constexpr char kPasswordPage[] = "/_trellis/portal/account/password";
// Paths are resolved against it and taken apart again: a path stays a path.
constexpr std::string_view kAnyOrigin = "http://path.invalid";

// application/x-www-form-urlencoded, as URLSearchParams writes it.
std::string form_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*' ||
                       c == '-' || c == '.' || c == '_';
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      (out += '%').append({digits[byte >> 4], digits[byte & 15]});
    }
  }
  return out;
}

std::string form_decoded(std::string_view text) {
  std::string spaces(text);
  std::replace(spaces.begin(), spaces.end(), '+', ' ');
  return url::to_utf8(url::percent_decode(spaces));
}

QueryParameters parse_query(std::string_view query) {
  QueryParameters out;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (part.empty()) continue;
    const auto equals = std::min(part.find('='), part.size());
    const auto value = equals < part.size() ? part.substr(equals + 1) : std::string_view();
    out.emplace_back(form_decoded(part.substr(0, equals)), form_decoded(value));
  }
  return out;
}

void set_parameter(QueryParameters &all, const std::pair<std::string, std::string> &parameter) {
  const auto named = [&](const auto &entry) { return entry.first == parameter.first; };
  const auto first = std::find_if(all.begin(), all.end(), named);
  if (first == all.end()) {
    all.push_back(parameter);
    return;
  }
  first->second = parameter.second;
  all.erase(std::remove_if(first + 1, all.end(), named), all.end());
}

std::string query_text(const QueryParameters &parameters) {
  std::string out;
  for (const auto &[name, value] : parameters)
    out += (out.empty() ? "" : "&") + form_encoded(name) + "=" + form_encoded(value);
  return out;
}

std::string family_json(const std::vector<std::string> &servers) {
  return JsonObjectText().texts("natsServers", servers).str();
}

} // namespace

std::string redirect_location(std::string_view target, const QueryParameters &parameters) {
  const bool path = target.starts_with('/');
  // A second backslash would make a browser read the path as another host (04 §8.2): it becomes part of the path.
  auto url = parse_url(path ? std::string(kAnyOrigin) + std::string(target) : std::string(target));
  if (!url) return std::string(target);
  auto all = parse_query(url->query.value_or(""));
  for (const auto &parameter : parameters)
    set_parameter(all, parameter);
  url->query = query_text(all);
  auto out = url->text();
  if (path) out.erase(0, kAnyOrigin.size());
  // "/.//evil" and "/\evil" resolve to "//evil", which is a host again when it stands alone.
  if (path && out.starts_with("//")) out.insert(0, "/.");
  return out;
}

std::string portal_url(std::string_view base, std::string_view path, const QueryParameters &parameters) {
  const auto origin = origin_of(base);
  if (origin.empty()) return {};
  return origin + std::string(path) + (parameters.empty() ? "" : "?" + query_text(parameters));
}

std::string password_portal_url(std::string_view base, std::string_view flow_id,
                                const std::optional<std::string> &return_to) {
  QueryParameters parameters = {{"flowId", std::string(flow_id)}};
  if (return_to) parameters.emplace_back("returnTo", *return_to);
  return portal_url(base, kPasswordPage, parameters);
}

std::string login_portal_url(const ControlPlaneConfig &config, std::string_view flow_id) {
  return portal_url(config.browser_origin(), kLoginPage, {{"flowId", std::string(flow_id)}});
}

std::string transports_json(const ControlPlaneConfig &config) {
  JsonObjectText out;
  const auto native = config.native_servers();
  if (!native.empty()) out.json("native", family_json(native));
  if (!config.client_servers.empty()) out.json("websocket", family_json(config.client_servers));
  return out.str();
}

std::string sentinel_json(const NatsCredentials &sentinel) {
  return JsonObjectText().text("jwt", sentinel.jwt).text("seed", sentinel.seed.text().reveal()).str();
}

bool valid_return_to(std::string_view return_to, const std::optional<std::string> &app_origin,
                     const std::vector<std::string> &web_origins) {
  const auto url = parse_url(return_to);
  if (!url || (url->scheme != "http" && url->scheme != "https")) return false;
  const auto origin = url->origin();
  if (app_origin) return origin == *app_origin;
  return std::any_of(web_origins.begin(), web_origins.end(),
                     [&](const std::string &allowed) { return allowed != "*" && origin_of(allowed) == origin; });
}

} // namespace trellis::auth
