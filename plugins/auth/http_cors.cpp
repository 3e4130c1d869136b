#include "http_cors.h"

#include <algorithm>
#include <utility>

namespace trellis::auth {
namespace {

constexpr char kMethods[] = "GET,POST,OPTIONS";

// Comma joined, spaces trimmed.
std::string requested_headers(const HttpRequest &request) {
  std::string out;
  auto rest = request.header("access-control-request-headers");
  while (!rest.empty()) {
    const auto end = std::min(rest.find(','), rest.size());
    auto name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!name.empty() && (name.front() == ' ' || name.front() == '\t'))
      name.remove_prefix(1);
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t'))
      name.remove_suffix(1);
    if (!name.empty()) (out += out.empty() ? "" : ",").append(name);
  }
  return out;
}

bool is_listed(std::string_view origin, const std::vector<std::string> &origins) {
  return std::find(origins.begin(), origins.end(), origin) != origins.end();
}

CorsDecision any_origin(bool preflight, const std::string &asked) {
  CorsDecision out;
  out.answered = preflight;
  out.headers.emplace_back("Access-Control-Allow-Origin", "*");
  if (!preflight) return out;
  out.headers.emplace_back("Access-Control-Allow-Methods", kMethods);
  if (asked.empty()) return out;
  out.headers.emplace_back("Access-Control-Allow-Headers", asked);
  out.headers.emplace_back("Vary", "Access-Control-Request-Headers");
  return out;
}

CorsDecision listed_origins(bool preflight, std::string_view origin, const std::string &asked,
                            const std::vector<std::string> &origins) {
  CorsDecision out;
  out.answered = preflight;
  if (!origin.empty() && is_listed(origin, origins)) out.headers.emplace_back("Access-Control-Allow-Origin", origin);
  out.headers.emplace_back("Access-Control-Allow-Credentials", "true");
  if (preflight) out.headers.emplace_back("Access-Control-Allow-Methods", kMethods);
  const bool echoed = preflight && !asked.empty();
  if (echoed) out.headers.emplace_back("Access-Control-Allow-Headers", asked);
  out.headers.emplace_back("Vary", echoed ? "Origin, Access-Control-Request-Headers" : "Origin");
  return out;
}

CorsDecision echoed_origin(bool preflight, std::string_view origin, const std::string &asked) {
  CorsDecision out;
  out.answered = preflight;
  if (origin.empty()) return out;
  out.headers.emplace_back("Access-Control-Allow-Origin", origin);
  out.headers.emplace_back("Access-Control-Allow-Credentials", "true");
  out.headers.emplace_back("Access-Control-Allow-Methods", kMethods);
  if (!asked.empty()) out.headers.emplace_back("Access-Control-Allow-Headers", asked);
  out.headers.emplace_back("Vary", "Origin");
  return out;
}

} // namespace

CorsPath cors_row(std::string_view path) {
  constexpr std::string_view flows = "/auth/flow/";
  if (path == "/auth/login/local") return {CorsRow::echo, "", true};
  if (!path.starts_with(flows))
    return {path.starts_with("/auth/") || path.starts_with("/bootstrap/") ? CorsRow::listed : CorsRow::none, "", true};
  const auto rest = path.substr(flows.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto action = rest.substr(slash);
  const auto row = action == "/bind" ? CorsRow::bind : CorsRow::flow;
  const bool preflighted = action == "/bind" || action == "/approval" || action == "/register/local";
  return {row, std::string(rest.substr(0, slash)), preflighted};
}

CorsDecision decide_cors(const CorsPath &path, const HttpRequest &request, const std::vector<std::string> &web_origins,
                         std::string_view allowed_origin) {
  const bool preflight = request.method == "OPTIONS";
  const auto origin = request.header("origin");
  const auto asked = requested_headers(request);
  const bool any = is_listed("*", web_origins);
  switch (path.row) {
  case CorsRow::none: return {};
  case CorsRow::listed:
    return any ? any_origin(preflight, asked) : listed_origins(preflight, origin, asked, web_origins);
  case CorsRow::echo: return echoed_origin(preflight, origin, asked);
  case CorsRow::flow:
  case CorsRow::bind: break;
  }
  const bool by_flow = !allowed_origin.empty() && origin == allowed_origin;
  const bool by_list = path.row == CorsRow::flow && (any || is_listed(origin, web_origins));
  if (origin.empty() || (!by_flow && !by_list) || (preflight && !path.preflighted)) return {};
  return echoed_origin(preflight, origin, asked);
}

} // namespace trellis::auth
