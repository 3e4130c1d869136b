// Which route a request is for (04 §2): exact paths, one parameter where the pattern has ":name", "*" for the rest.
//
// A table walk over about twenty short patterns; a tree would be faster by less than a socket read costs. Parameters
// are percent-decoded after matching, so an encoded slash never makes another path.
#pragma once

#include "http_api.h"
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

std::string_view path_of(std::string_view target); // without query

class HttpRouter {
public:
  struct Match {
    std::vector<std::string> parameters; // in the pattern's order
  };
  using Route = std::function<HttpResponse(const HttpRequest &, const Match &)>;

  void add(std::string method, std::string pattern, Route route);
  // The response, or nullopt when nothing matches (another method is no match: 404, not 405).
  std::optional<HttpResponse> route(const HttpRequest &request) const;
  // "METHOD /pattern" of every route, in order.
  std::vector<std::string> names() const;

private:
  struct Entry {
    std::string method, pattern;
    Route route;
  };
  std::vector<Entry> entries_;
};

} // namespace trellis::auth
