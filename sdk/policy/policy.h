// Policy: who decides what a plugin may be and do (ARCHITECTURE §5).
//
// One asynchronous question, in the words of the service bootstrap route (04 §7), plus a callback when answers may have
// changed. Static policy answers from a TOML file, PluginPolicy from the control plane in this host, RemotePolicy from
// one elsewhere: behind one interface, so the host has one path from contract to grants.
#pragma once

#include "contracts/authority.h"
#include "contracts/result.h"
#include "nats/nats_transport.h"
#include "runtime/validator.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// The body of POST /bootstrap/service (04 §7) that this participant sends.
std::string bootstrap_request(const SessionKey &key, const Manifest &contract, bool with_manifest, std::int64_t iat);

struct PolicyAnswer {
  int status = 0;   // as HTTP: 200 ready, 202 pending, 4xx refused; 5xx: undecided, and who runs keeps running
  std::string body; // JSON; `reason` and `message` when not ready

  bool decided() const { return status >= 200 && status < 500; }
};
// An answer of our own making: {reason, message}.
PolicyAnswer policy_answer(int status, std::string_view reason, std::string_view message);

// The file that a host wants to run a contract from, as it found it. Beside the request and not in it: the request is
// the route's body, byte for byte, and its proof covers none of this. The policy believes the host, which is the one
// that keeps the code from running.
struct ArtifactFacts {
  std::string sha256;
  std::string signer; // minisign public key, or "" when nobody signed
  bool bound = false; // approve = "artifact": the approval has to be of this file by this signer
};

class Policy {
public:
  using Done = std::function<void(PolicyAnswer)>;

  virtual ~Policy() = default;
  // [thread-safe] `done` runs once, on any thread or inside the call.
  virtual void bootstrap(std::string request, ArtifactFacts artifact, Done done) = 0;
  // For a contract whose file doesn't matter.
  void bootstrap(std::string request, Done done) { bootstrap(std::move(request), {}, std::move(done)); }
  // [thread-safe] trellis.toml says that this key is an instance of that deployment. Only a policy that trusts
  // trellis.toml makes them (trellis.policy/1); for others the operator provisions instances elsewhere. 200 or 4xx.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): who overrides it keeps them
  virtual void enroll(std::string /*deployment*/, std::string /*session_key*/, Done done) { done({200, "{}"}); }
  // Every contract that the host has inspected, approved or not. The host calls this before it asks, and again when the
  // set changes.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): who overrides it keeps them
  virtual void set_known_contracts(std::vector<Manifest> /*contracts*/) {}
  // [thread-safe] A server refused these credentials; the host asks again (bootstrap) before it wants new ones.
  virtual void connection_denied(const SessionKey & /*key*/, std::string_view /*contract_digest*/) {}
  // [thread-safe] Credentials for a new NATS connection of a principal that bootstrap answered 200 for; called before
  // each connect. `use`: "rpc" or "stream" (ARCHITECTURE §5). Error "policy_denied" after the policy changed its mind.
  virtual Result<ConnectionCredentials> credentials(const SessionKey &key, std::string_view contract_digest,
                                                    std::string_view use) = 0;
  // [thread-safe] How requests to any principal are validated; nullptr when that takes a connection of the principal.
  virtual std::shared_ptr<Validator> validator() = 0;
  // [thread-safe] The same for the principal `key`, whose connection is `transport`; both outlive the validator.
  virtual std::shared_ptr<Validator> validator_for(Transport & /*transport*/, const SessionKey & /*key*/) {
    return validator();
  }
  // [thread-safe] The policy's clock in Unix seconds: for the `iat` of bootstrap requests.
  virtual std::int64_t now() const { return unix_ms_now() / 1000; }
  // Called when answers may differ from before, or when it is time to ask again; replaces an earlier callback. When it
  // returns, no earlier one is running, so never call it from inside one.
  virtual void on_change(std::function<void()> changed) = 0;
  // Reads its source again. On an error everything stays as it was.
  virtual Result<void> reload() = 0;
};

// ------------------------------------------------------------------------------------------------------ static policy

// One participant that may call: an entry of [[callers]].
struct StaticCaller {
  std::string name;
  std::string session_key;
  std::vector<std::string> capabilities;
  // contract id -> names of rpcs and feeds, or {"*"} for all of them
  std::map<std::string, std::vector<std::string>, std::less<>> uses;
  std::string where; // file:line of the entry, for messages
};

// One approval: an entry of [[accept]].
struct StaticAcceptance {
  std::string contract_id;
  std::string digest;
  std::string sha256, signer; // of the file that it holds for; "": of any
};

// policy.toml. Unknown keys are errors as in trellis.toml.
struct StaticPolicyFile {
  std::filesystem::path file;
  std::string account; // [account] public_key: the TRELLIS account
  std::filesystem::path
      signing_seed_file; // [account] signing_seed_file, relative to the file; refused unless 0600 or stricter
  std::chrono::seconds jwt_life{3600};    // [account] jwt_life_s
  std::vector<StaticAcceptance> accepted; // besides health_contract(), which always is
  std::vector<StaticCaller> callers;
};
Result<StaticPolicyFile> load_static_policy(const std::filesystem::path &file);

class StaticPolicy : public Policy {
public:
  // `replay_file`: the replay cache; "" keeps it in memory. `clock`: Unix milliseconds.
  static Result<std::unique_ptr<StaticPolicy>> open(const std::filesystem::path &file,
                                                    const std::filesystem::path &replay_file,
                                                    std::function<std::int64_t()> clock);

  // What `uses` resolve against.
  void set_known_contracts(std::vector<Manifest> contracts) override = 0;
  // The NATS user JWT of a caller in the file, for the CLI. Error "caller_unknown".
  virtual Result<ConnectionCredentials> caller_credentials(std::string_view session_key) = 0;
};

// Pure parts, for tests and `plugin inspect`.
// What a contract that is accepted in full would get: analyze -> desired state -> materialize -> permissions.
Result<Permissions> permissions_when_accepted(const Manifest &contract, const std::vector<Manifest> &known,
                                              std::string_view session_key);

} // namespace trellis
