// What `trellis call` learns from the files around trellis.toml: servers, the caller's key, the rpc and its contract.
//
// A control plane isn't asked: with static policy everything that decides about a call lies in files of this machine,
// and whoever may read the account's signing key may mint the caller's JWT.
#pragma once

#include "contracts/manifest.h"
#include "contracts/result.h"
#include "host/config.h"
#include "host/policy.h"
#include "runtime/rpc_method.h"
#include "wire/session_key.h"
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace trellis::cli {

struct CallArguments {
  std::string rpc, input;
  std::string config = "trellis.toml";
  std::string caller = "local";
  std::string contract; // "", a contract id, a manifest file or a plugin file
  std::int64_t timeout_ms = 3000;
  std::string request_id; // "" = a fresh one
  // Diagnostics: what a service answers to ... At most one is set.
  bool forge = false, replay = false, expired = false, reply_outside = false;
};

struct CallSetup {
  host::Config config;
  std::unique_ptr<host::StaticPolicy> policy;
  SessionKey key;
  RpcMethod method;
};

// Plugin files that can't be read are named in `notes` and left out. Errors: those of load_config, StaticPolicy::open
// and SessionKey::from_seed, "secret_*" of the caller's seed, "caller_unknown", "rpc_unknown", "rpc_ambiguous",
// "contract_unreadable".
Result<CallSetup> prepare_call(const CallArguments &arguments, std::ostream &notes);

// The contract among `known` that has the rpc. Errors "rpc_unknown", with the nearest name, and "rpc_ambiguous".
Result<Manifest> contract_with_rpc(const std::vector<Manifest> &known, const std::string &rpc);

} // namespace trellis::cli
