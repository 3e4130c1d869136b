// A whole installation for one test: bundle, nats-server, trellis-host as a child process, and callers.
//
// Plugins and approvals are changed here and take effect with start() or reload(), as an operator would do it.
#pragma once

#include "contracts/manifest.h"
#include "log_lines.h"
#include "nats/nats_transport.h"
#include "policy/policy.h"
#include "runtime/rpc_client.h"
#include "support/nats_server.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::test {

// The error as a service sent it, JSON: also when the contract doesn't declare it and it came wrapped (06 §3.3).
std::string error_text(const CallResult &result);

// The path of something that the build made: "trellis-host", "trellis", "odd.so", "echo-c.so".
std::filesystem::path built(const std::string &name);

// A participant that calls: its own key, connection and contract knowledge.
class Caller {
public:
  using Credentials = std::function<Result<ConnectionCredentials>(const SessionKey &)>;
  Caller(NatsLoop &loop, Credentials credentials, const std::string &url, SessionKey key,
         std::map<std::string, Manifest> contracts);

  CallResult call(const std::string &contract_id, const std::string &name, const std::string &input,
                  const CallOptions &options = {});
  RpcMethod method(const std::string &contract_id, const std::string &name) const;
  const SessionKey &key() const { return key_; }
  NatsTransport &transport() { return *transport_; }
  RpcClient &client() { return *client_; }

private:
  SessionKey key_;
  std::map<std::string, Manifest> contracts_;
  std::unique_ptr<NatsTransport> transport_;
  std::unique_ptr<RpcClient> client_;
};

class LiveHost {
public:
  struct Options {
    std::chrono::seconds jwt_life{3600};
    std::string host_lines = {}; // further lines of [host]
  };
  LiveHost() : LiveHost(Options{}) {}
  explicit LiveHost(Options options);

  struct Plugin {
    std::filesystem::path file;
    bool pinned = true;
    std::string lines = {}; // further lines of its table
  };
  void set_plugin(const std::string &name, Plugin plugin) { plugins_[name] = std::move(plugin); }
  void remove_plugin(const std::string &name) { plugins_.erase(name); }
  // Accepts the contract that a plugin file carries now.
  void accept(const std::filesystem::path &file);
  // The same from that file only: sha256 in its [[accept]].
  void accept_artifact(const std::filesystem::path &file);
  void withdraw(const std::string &contract_id) { accepted_.erase(contract_id); }
  void set_tables(std::string text) { tables_ = std::move(text); } // further ones of trellis.toml
  void set_jwt_life(std::chrono::seconds life) { options_.jwt_life = life; }

  struct CallerEntry {
    std::vector<std::string> capabilities;
    std::map<std::string, std::vector<std::string>> uses;
  };
  void set_caller(const std::string &name, CallerEntry entry);
  void remove_caller(const std::string &name) { callers_.erase(name); }

  void write_files() const;  // trellis.toml and policy.toml as of now
  void start();              // and waits until the host is ready
  void launch();             // without waiting
  void reload();             // and waits until the host is ready again
  std::optional<int> stop(); // SIGTERM; exit status, nullopt when it hangs
  void kill();               // SIGKILL

  NatsServer &nats() { return *nats_; }
  NatsLoop &loop() { return *loop_; }
  Process &process() { return *process_; }
  const std::filesystem::path config_file() const { return dir_ / "bundle/trellis.toml"; }
  const std::filesystem::path bundle() const { return dir_ / "bundle"; }

  std::unique_ptr<Caller> connect(const std::string &name);
  std::string log() const { return read_file(dir_ / "host.log"); }
  // Waits for a log line that holds all of these texts.
  bool logged(const std::vector<std::string> &texts, std::chrono::milliseconds limit = std::chrono::seconds(20)) const;
  // How many log lines hold all of these texts.
  std::size_t count_logged(const std::vector<std::string> &texts) const;

private:
  Options options_;
  TempDir dir_;
  ShownOnFailure shown_{dir_ / "host.log"};
  std::map<std::string, Plugin> plugins_;
  std::map<std::string, std::string> accepted_; // contract id -> the lines of its [[accept]]
  std::string tables_;
  std::map<std::string, CallerEntry> callers_;
  std::map<std::string, SessionKey> keys_;
  std::string account_lines_; // [account] of policy.toml
  std::unique_ptr<NatsServer> nats_;
  std::unique_ptr<NatsLoop> loop_;
  std::unique_ptr<StaticPolicy> policy_; // the callers' side of the policy file
  std::unique_ptr<Process> process_;
};

} // namespace trellis::test
