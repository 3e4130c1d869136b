// One signed-in participant's connection to a control plane, and its RPCs.
//
// Inputs and outputs are JSON as the protocol has it, without schemas on this side: the control plane checks inputs,
// and a newer one may answer with members that this CLI has never heard of.
#pragma once

#include "contracts/json.h"
#include "nats/nats_transport.h"
#include "runtime/rpc_client.h"
#include "server_clock.h"
#include "session_file.h"
#include <atomic>
#include <functional>
#include <memory>
#include <rapidjson/document.h>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::cli {

class LastProblem;

class ControlPlane {
public:
  // [may block] When NATS refuses the session, perhaps for the time it was signed with, it is tried once more by the
  // control plane's clock. Errors: "not_connected" with what the server said, those of NkeySeed.
  static Result<std::unique_ptr<ControlPlane>> connect(const LoginSession &session);
  ~ControlPlane();
  ControlPlane(const ControlPlane &) = delete;
  ControlPlane &operator=(const ControlPlane &) = delete;

  // [may block] Errors: those of call_error.
  Result<JsonDocument> call(const std::string &rpc, const std::string &input);
  // [may block] All pages of a list RPC: {entries, count, offset: 0, limit}. `filter`: members of the input (JSON
  // object text) besides offset and limit.
  Result<JsonDocument> list(const std::string &rpc, const std::string &filter = "{}");
  // [may block] A method of any contract.
  CallResult call_method(const RpcMethod &method, std::string_view input, const CallOptions &options);

  // Whether the server ended a connection that had been made.
  bool was_disconnected() const { return disconnected_; }
  const std::shared_ptr<ServerClock> &clock() const { return clock_; }

private:
  explicit ControlPlane(std::shared_ptr<ServerClock> clock) : clock_(std::move(clock)) {}
  static Result<std::unique_ptr<ControlPlane>> open(const LoginSession &session, std::shared_ptr<ServerClock> clock,
                                                    std::shared_ptr<LastProblem> problems);

  const std::shared_ptr<ServerClock> clock_;
  SessionKey key_ = SessionKey::generate(); // replaced by the session's
  std::atomic<bool> disconnected_{false};
  std::unique_ptr<NatsLoop> loop_;
  std::unique_ptr<NatsTransport> transport_;
  std::unique_ptr<RpcClient> client_;
};

// Where and how a session connects.
std::vector<std::string> session_servers(const LoginSession &session);
// Error: those of NkeySeed.
Result<std::function<Result<ConnectionCredentials>()>>
session_credentials(const LoginSession &session,
                    std::shared_ptr<const ServerClock> clock = std::make_shared<const ServerClock>());

// A method that takes and gives any JSON.
RpcMethod untyped_method(const std::string &name);

} // namespace trellis::cli
