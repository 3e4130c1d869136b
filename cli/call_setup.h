// What `trellis call` needs to know, and how it learns that from the files around trellis.toml: servers, the caller's
// key, the rpc and its contract. (call_login.h learns it from a control plane.)
//
// With static policy everything that decides about a call lies in files of this machine, and whoever may read the
// account's signing key may mint the caller's JWT.
#pragma once

#include "contracts/manifest.h"
#include "contracts/result.h"
#include "host_config/config.h"
#include "policy/policy.h"
#include "runtime/feed_method.h"
#include "runtime/rpc_method.h"
#include "wire/session_key.h"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

struct CallArguments {
  std::string rpc, input; // `rpc`: with is_feed the name of a feed
  bool is_feed = false;
  std::string config;   // "": a login session if there is one and no caller is named, else trellis.toml
  std::string caller;   // "": local, with files
  std::string contract; // "", a contract id, a manifest file or a plugin file
  std::int64_t timeout_ms = 3000;
  std::string request_id; // "" = a fresh one
  // Diagnostics: what a service answers to ... At most one is set.
  bool forge = false, replay = false, expired = false, reply_outside = false;
};

// Everything for one call, wherever it was learned.
struct CallTarget {
  std::vector<std::string> servers;
  std::function<Result<ConnectionCredentials>()> credentials;
  SessionKey key;
  RpcMethod method;                       // of a call
  std::shared_ptr<const FeedMethod> feed; // of `trellis feed`
  std::optional<host::Config> config;     // of static policy, whose files --reply-outside needs
  std::filesystem::path session_file;     // of a login session; "" with static policy
  std::function<std::int64_t()> now;      // seconds, for what the caller signs
};

struct CallSetup {
  host::Config config;
  std::unique_ptr<StaticPolicy> policy;
  SessionKey key;
  RpcMethod method;
  std::shared_ptr<const FeedMethod> feed;
};

// Plugin files that can't be read are named in `notes` and left out. Errors: those of load_config, StaticPolicy::open
// and SessionKey::from_seed, "secret_*" of the caller's seed, "caller_unknown", "rpc_unknown", "rpc_ambiguous",
// "contract_unreadable".
Result<CallSetup> prepare_call(const CallArguments &arguments, std::ostream &notes);

CallTarget target_of(CallSetup setup);

// The contract among `known` that has the rpc. Errors "rpc_unknown", with the nearest name, and "rpc_ambiguous".
Result<Manifest> contract_with_rpc(const std::vector<Manifest> &known, const std::string &rpc);
// The same for a feed. Errors "feed_unknown", "feed_ambiguous".
Result<Manifest> contract_with_feed(const std::vector<Manifest> &known, const std::string &feed);

// The contract's rpc or feed that the arguments name, compiled into `method` or `feed` of `out`.
template <class Target>
Result<void> compile_surface(const Manifest &contract, const CallArguments &arguments, Target &out) {
  if (arguments.is_feed) {
    auto feed = compile_feed(contract, arguments.rpc);
    if (!feed) return tl::unexpected(feed.error());
    out.feed = std::make_shared<const FeedMethod>(std::move(*feed));
    return {};
  }
  auto method = compile_rpc(contract, arguments.rpc);
  if (!method) return tl::unexpected(method.error());
  out.method = std::move(*method);
  return {};
}

} // namespace trellis::cli
