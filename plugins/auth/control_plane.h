// The running control plane: every part of it, made in the order of their needs and ended in reverse (ARCHITECTURE §5).
#pragma once

#include "abi_host.h"
#include "callout.h"
#include "catalog.h"
#include "http_api.h"
#include "lane.h"
#include "policy_table.h"
#include "replay/replay_cache.h"
#include "rpc_call.h"
#include "store/database.h"
#include "validation.h"
#include <memory>
#include <string>
#include <thread>
#include <trellis/control_plane.h>
#include <vector>

namespace trellis::auth {

class ControlPlane {
public:
  // [may block] Opens the database, makes the platform's streams, answers callouts. `host` and its connections outlive
  // it. Errors: those of the configuration, the database, the replay cache; "session_seed" when the host serves as
  // another session key than the configuration names; "jetstream_unavailable".
  static Result<std::unique_ptr<ControlPlane>> start(const trellis_host &host, std::vector<Manifest> builtin);
  // [may block] HTTP first, callouts last.
  ~ControlPlane();
  ControlPlane(const ControlPlane &) = delete;
  ControlPlane &operator=(const ControlPlane &) = delete;

  // [may block] The host serves the surfaces: makes sure that there is an administrator, opens HTTP, starts what runs
  // in the background.
  Result<void> open_doors();

  RpcContext &rpcs() { return rpcs_; }
  PolicyDesk &policy() { return *policy_; }
  Validation &validation() { return validation_; }
  const std::string &core_digest() const { return core_digest_; }
  std::int64_t jwt_life_ms() const { return static_cast<std::int64_t>(config_.ttl_ms.nats_jwt); }

private:
  // What can fail before anything runs.
  struct Parts {
    ControlPlaneConfig config;
    std::unique_ptr<Database> db;
    std::unique_ptr<ReplayCache> replay;
    CalloutKeys keys;
    std::string sentinel_json;
    AbiTransport auth, system, trellis;
  };
  static Result<Parts> prepare(const trellis_host &host);
  ControlPlane(const trellis_host &host, Parts parts, std::vector<Manifest> builtin);

  Result<void> answer_callouts();
  Result<void> follow_disconnects();
  void run_background(const std::stop_token &stop);
  void forget_expired_sessions();

  const ControlPlaneConfig config_;
  const std::string core_digest_;
  AbiTransport auth_, system_, trellis_;
  std::unique_ptr<Database> db_;
  std::unique_ptr<ReplayCache> replay_;
  Catalog catalog_;
  Core core_;
  Connections connections_;
  DeploymentAuthority authority_;
  Validation validation_;
  HttpApi http_;
  Callout callout_;
  RpcContext rpcs_;
  // In this order: who uses the above, so that the last to be made ends first.
  std::unique_ptr<CalloutLane> callouts_;
  std::unique_ptr<Lane> disconnect_lane_;
  std::unique_ptr<Subscription> disconnects_;
  std::unique_ptr<PolicyDesk> policy_;
  std::jthread background_;
  std::unique_ptr<HttpServer> server_;
};

} // namespace trellis::auth
