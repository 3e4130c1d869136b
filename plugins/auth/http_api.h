// The control plane's HTTP surface (04): routes as functions from request to response, without sockets in sight.
//
// The listener (http_server) parses bytes and bounds them; the routes decide. So the vectors' transcripts, the unit
// tests and the listener all run the same code.
#pragma once

#include "core.h"
#include "deployment_authority.h"
#include "passwords.h"
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::auth {

struct HttpRequest {
  std::string method, target; // target: path and query as sent
  std::string body;
  bool body_too_large = false; // the listener stopped reading: answered 413 behind the middleware
  std::string remote_ip;
  std::string request_origin;                               // "http://host:port" from Host
  std::vector<std::pair<std::string, std::string>> headers; // names in lower case
  std::string_view header(std::string_view lower_case_name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

class HttpApi {
public:
  // `flows`: Transport of the AUTH account, for the KV buckets of 04 §18.
  HttpApi(Core &core, DeploymentAuthority &authority, Connections &connections, Transport &flows,
          std::string sentinel_json, std::string transports_json);
  ~HttpApi();

  // [may block] Middleware of 04 §3.3 and the route. Called from the listener's workers.
  HttpResponse handle(const HttpRequest &request);
  // 04 §14: makes sure that there is an administrator. `print` gets the line with the bootstrap link, without line end;
  // tools look for it on stdout. Called when RPCs are mounted.
  using Announce = std::function<void(const std::string &line)>;
  Result<void> first_boot(const Announce &print);

private:
  struct State;
  std::unique_ptr<State> state_;
};

class HttpServer {
public:
  using Handler = std::function<HttpResponse(const HttpRequest &)>;
  // Listens on all interfaces (or `address`), HTTP/1.1. Error "http_listen" naming the port.
  static Result<std::unique_ptr<HttpServer>> open(const ControlPlaneConfig &config, Handler handler);
  virtual ~HttpServer() = default; // stops accepting, drains up to 5 s
  virtual std::uint16_t port() const = 0;
};

} // namespace trellis::auth
