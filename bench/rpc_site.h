// Where requests are measured: a server, echo-cpp in trellis-host, and a caller it accepts; once for each way in which
// a host finds out who a caller is. The plugin, the request path and the proof check are the same in all of them.
#pragma once

#include "wire/session_key.h"
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace trellis::bench {

class RpcSite {
public:
  virtual ~RpcSite() = default;
  virtual std::string nats_url() const = 0;
  virtual const SessionKey &caller() const = 0;
  virtual std::filesystem::path bundle() const = 0;
};

// Writes a credentials file of the shape that the host's policy mints (an allow list, one reply a request), signed for
// the TRELLIS account of the bundle: for connections of client and floors, which need no callout. Returns its path.
std::string write_credentials(const std::filesystem::path &bundle, const std::filesystem::path &file,
                              std::vector<std::string> publish, std::vector<std::string> subscribe);

// Callers are in a file that the host has read.
std::unique_ptr<RpcSite> static_policy_site();
// A control plane in the same host: trellis.validator/1.
std::unique_ptr<RpcSite> in_process_site();
// A control plane in another host: Auth.Requests.Validate for each request.
std::unique_ptr<RpcSite> by_request_site();

} // namespace trellis::bench
