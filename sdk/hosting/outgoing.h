// Calls that a plugin makes to contracts that its own contract `uses`.
//
// The contract decides: an rpc that `uses` doesn't list is refused here, with a reason, before NATS refuses it without
// one. Compiled methods are kept as long as the other contract's digest stays the same.
#pragma once

#include "hosting/contract_directory.h"
#include "runtime/rpc_client.h"
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <trellis/plugin.h>
#include <utility>

namespace trellis::host {

class Outgoing {
public:
  Outgoing(Manifest own, const ContractDirectory &known) : own_(std::move(own)), known_(known) {}

  // [thread-safe] Errors: "not_used" (the contract doesn't list it), "not_known" (no such contract or rpc here now).
  Result<std::shared_ptr<const RpcMethod>> find(std::string_view contract_id, std::string_view name);

private:
  struct Compiled {
    std::string digest;
    std::shared_ptr<const RpcMethod> method;
  };

  const Manifest own_;
  const ContractDirectory &known_;
  std::mutex mutex_; // guards compiled_
  std::map<std::pair<std::string, std::string>, Compiled, std::less<>> compiled_;
};

// How a failed call looks across the ABI.
trellis_status status_of(const CallError &error);

} // namespace trellis::host
