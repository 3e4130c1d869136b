// HTTP requests to a control plane, over libcurl: for the CLI and for a host whose policy is remote.
//
// Blocking, one object a thread. TLS is verified against the system's certificates; redirects aren't followed, because
// no route of the protocol answers a program with one; headers and bodies are bounded. curl.h stays in one file.
// Connections are kept for the next request. Rejected: Beast as a client, which leaves proxies, IPv6 fallback and
// certificate stores to us.
#pragma once

#include "contracts/result.h"
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;        // names in lower case, in order
  std::string_view header(std::string_view lower_case_name) const; // the first, or ""
};

struct HttpLimits {
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds timeout{30000};
  std::size_t max_body = std::size_t{16} << 20;
};

class HttpClient {
public:
  explicit HttpClient(HttpLimits limits = {});
  ~HttpClient();
  HttpClient(const HttpClient &) = delete;
  HttpClient &operator=(const HttpClient &) = delete;

  // [may block] Errors: "http_url", "http_unreachable", "http_timeout", "http_tls", "http_too_large"; where = the URL
  // without user name, password and query. Any status is an answer, not an error.
  Result<HttpAnswer> get(const std::string &url);
  Result<HttpAnswer> post_json(const std::string &url, std::string_view body);
  // [thread-safe] Ends a request that is under way on another thread, and every later one: they fail with
  // "http_cancelled". For ever, because its user stops, and a request that was just about to start must not slip by.
  void cancel();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis
