// The host: keeps the plugins that trellis.toml names in the state that policy allows.
//
// One control thread owns all decisions. It never waits: everything that can block (reading files, loading, a plugin's
// start and stop) runs on a thread of that plugin's slot and comes back as a message, as do answers of the policy. So a
// plugin that hangs delays itself only. Reload compares what is wanted with what runs; a successor serves before its
// predecessor drains.
#pragma once

#include "generation.h"
#include "trust.h"
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace trellis::host {

enum class Phase {
  inspecting, // its file is being read
  refused,    // by trust, the contract's checks or policy: `detail` says why
  pending,    // waits for the operator or for a contract that it needs
  starting,   // load, create, connect, start
  running,
  stopping,
  failed,   // load, create or start failed
  disabled, // enabled = false
};
std::string_view phase_name(Phase phase);

class Host {
public:
  // Opens the policy and the network loop; nothing is loaded yet. `log` outlives it.
  static Result<std::unique_ptr<Host>> open(Config config, const Log &log);
  ~Host();
  Host(const Host &) = delete;
  Host &operator=(const Host &) = delete;

  // [may block] The control thread: returns after request_stop, when everything is stopped. False when a plugin left
  // something behind; the process must then end without destroying this object.
  bool run();

  // [thread-safe] Reads trellis.toml and the policy again. On an error in either nothing changes.
  void request_reload();
  // [thread-safe]
  void request_stop();

private:
  struct Slot;
  struct Inspected;

  Host(Config config, const Log &log, std::unique_ptr<NatsLoop> loop, std::unique_ptr<StaticPolicy> policy);

  // [thread-safe]
  void post(std::function<void()> message);
  HostParts parts();

  // [control thread]
  void reload();
  void apply(std::vector<PluginConfig> wanted);
  void retire(const std::string &name);
  void inspect_all();
  void inspect(Slot &slot);
  void inspected(Slot &slot, Inspected result);
  void publish_contracts();
  void ask_all();
  void ask(Slot &slot);
  void answered(Slot &slot, const PolicyAnswer &answer);
  void activate(Slot &slot);
  void activated(Slot &slot, std::shared_ptr<Generation> fresh, const Result<void> &result);
  void withdraw(Slot &slot, Phase phase, const std::string &detail);
  void rotate_dependents(const std::vector<std::string> &changed);
  void enter(Slot &slot, Phase phase, const std::string &detail = {});
  void report_when_settled();
  void stop_all();
  void report_hung() const;

  // Runs `work` on the slot's own thread, then `done` on the control thread.
  void run_on(Slot &slot, std::function<void(std::stop_token)> work, std::function<void()> done);

  Config config_;
  const Log &log_;
  std::unique_ptr<NatsLoop> loop_;
  std::unique_ptr<StaticPolicy> policy_;
  ContractDirectory contracts_;

  std::mutex mutex_; // guards messages_
  std::condition_variable arrived_;
  std::deque<std::function<void()>> messages_;

  // Of the control thread alone.
  std::map<std::string, std::unique_ptr<Slot>> slots_;
  std::vector<std::shared_ptr<Generation>> left_behind_;
  std::size_t inspections_ = 0; // under way
  std::size_t questions_ = 0;   // to policy, unanswered
  bool stopping_ = false;
  std::chrono::steady_clock::time_point stop_deadline_; // when a plugin that hangs is given up
  bool rotate_all_ = false; // connections of all that use other contracts, once contracts are published
  bool settled_ = false;
};

// One line of `trellis-host --check`: what would happen to a plugin, without loading it or touching the network.
struct CheckLine {
  std::string plugin;
  bool ok = false; // it would run, or wait for approval
  std::string text;
};
Result<std::vector<CheckLine>> check_config(const Config &config);

// What a plugin file is, as far as it may be trusted: read, pinned or signed, and servable by this host.
struct Vetted {
  std::shared_ptr<const Artifact> artifact;
  Trust trust;
};
Result<Vetted> vet_plugin(const PluginConfig &plugin, const std::vector<std::string> &trusted_signers);

} // namespace trellis::host
