#include "http_router.h"

#include "http_reply.h"
#include <algorithm>

namespace trellis::auth {
namespace {

std::string_view next_segment(std::string_view &rest) {
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto segment = rest.substr(0, slash);
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  return segment;
}

std::string decoded(std::string_view text) {
  return decode_component(text).value_or(std::string(text));
}

std::optional<HttpRouter::Match> match(std::string_view pattern, std::string_view path) {
  HttpRouter::Match out;
  const bool open = pattern.ends_with("/*");
  const auto want = std::count(pattern.begin(), pattern.end(), '/');
  const auto have = std::count(path.begin(), path.end(), '/');
  if (open ? have < want : have != want) return std::nullopt;
  while (!pattern.empty()) {
    if (pattern == "*") {
      out.parameters.push_back(decoded(path));
      return out;
    }
    const auto expected = next_segment(pattern);
    const auto segment = next_segment(path);
    if (expected.starts_with(':')) {
      if (segment.empty()) return std::nullopt;
      out.parameters.push_back(decoded(segment));
    } else if (expected != segment) {
      return std::nullopt;
    }
  }
  return path.empty() ? std::optional(out) : std::nullopt;
}

} // namespace

std::string_view path_of(std::string_view target) {
  return target.substr(0, std::min(target.find('?'), target.size()));
}

void HttpRouter::add(std::string method, std::string pattern, Route route) {
  entries_.push_back({std::move(method), std::move(pattern), std::move(route)});
}

std::optional<HttpResponse> HttpRouter::route(const HttpRequest &request) const {
  const auto path = path_of(request.target);
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  for (const auto &entry : entries_) {
    if (entry.method != method) continue;
    if (const auto found = match(entry.pattern, path)) return entry.route(request, *found);
  }
  return std::nullopt;
}

std::vector<std::string> HttpRouter::names() const {
  std::vector<std::string> out;
  for (const auto &entry : entries_)
    out.push_back(entry.method + " " + entry.pattern);
  return out;
}

} // namespace trellis::auth
