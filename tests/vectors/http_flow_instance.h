// One control plane for the http-flows vectors, in this process: the real routes, store, deployment authority and
// connections, on a nats-server that runs on a generated bundle. Only the RPC door and the plugin are left out;
// adminRpc steps call what the RPC table would.
#pragma once

#include "catalog.h"
#include "contracts/json.h"
#include "http_api.h"
#include "live/bundle_server.h"
#include "nats/nats_transport.h"
#include "runner.h"
#include "support/temp_dir.h"
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::vectors {

inline constexpr char kFlowOrigin[] = "http://localhost:3999"; // {{publicOrigin}}; requests don't go through a socket

class FlowInstance {
public:
  // `changes`: `requires.config` of the case, merged object by object into the baseline (README §4.3), or nullptr.
  explicit FlowInstance(const JsonValue *changes);
  ~FlowInstance();

  auth::HttpResponse handle(const auth::HttpRequest &request) { return api_->handle(request); }
  // nullopt: an RPC of a later issue.
  std::optional<Result<std::string>> admin_rpc(const std::string &method, const std::string &input);
  const std::string &bootstrap_flow() const { return bootstrap_flow_; }
  const std::string &nats_url() const { return server_.url(); }
  std::int64_t now_ms() const;
  void advance(std::int64_t ms) { offset_ms_ += ms; } // in place of sleeping
  auth::Core &core() { return *core_; }

private:
  void connect();
  std::unique_ptr<NatsTransport> open(const std::string &credentials) const;

  test::BundleServer server_;
  test::TempDir dir_;
  std::atomic<std::int64_t> offset_ms_ = 0;
  auth::ControlPlaneConfig config_;
  std::unique_ptr<NatsLoop> loop_;
  std::unique_ptr<NatsTransport> auth_, system_, trellis_;
  std::unique_ptr<auth::Database> db_;
  std::unique_ptr<auth::Catalog> catalog_;
  std::optional<auth::Core> core_;
  std::unique_ptr<auth::Connections> connections_;
  std::unique_ptr<auth::DeploymentAuthority> authority_;
  std::unique_ptr<auth::HttpApi> api_;
  std::string bootstrap_flow_;
};

} // namespace trellis::vectors
