// The host: keeps the plugins that trellis.toml names in the state that policy allows.
//
// One control thread owns all decisions. It never waits: everything that can block (reading files, loading, a plugin's
// start and stop) runs on a thread of that plugin's slot and comes back as a message, as do answers of the policy. So a
// plugin that hangs delays itself only. Reload compares what is wanted with what runs; a successor serves before its
// predecessor drains.
//
// The plugin with the role of the control plane asks nobody, is never replaced, and stops when all others have. Until
// it runs, policy "plugin" answers that there is nobody to ask; its attaching is a change like any other, so everything
// else follows from the order of events. A start of it that fails is tried again with growing pauses: what keeps it
// from starting is repaired elsewhere, and until then nobody can be asked about anything.
#pragma once

#include "artifact/trust.h"
#include "generation.h"
#include "runtime/state_lock.h"
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace trellis::host {

enum class Phase {
  inspecting, // its file is being read
  refused,    // by trust, the contract's checks or policy: `detail` says why
  pending,    // waits for the operator or for a contract that it needs
  starting,   // load, create, connect, start
  running,
  stopping,
  failed,      // load, create or start failed
  disabled,    // enabled = false
  quarantined, // isolated, and crashed too often; until the next reload
};
std::string_view phase_name(Phase phase);

// One plugin of a running host, for the control socket.
struct PluginStatus {
  std::string name;
  PluginRole role = PluginRole::service;
  std::string deployment;
  Phase phase = Phase::inspecting;
  std::string detail;
  std::string contract_id, contract_digest; // of what runs, else of the file; "" while unknown
  std::string session_key;                  // public
  std::size_t generations = 0;              // copies of its code in this process
  std::size_t max_generations = 0;
  Isolation isolation = Isolation::automatic;
  std::string last_crash = {}; // of an isolated one, since it was configured
  // While it runs.
  std::optional<Calls::Counts> counts;
  RpcDurations durations = {};
  std::optional<Generation::Connection> connection;
  std::optional<Problem> last_problem;
  std::optional<isolation::IsolatedPlugin::Status> process = {}; // of an isolated one
};
struct HostStatus {
  std::string host;
  bool settled = false; // nothing is under way
  std::vector<PluginStatus> plugins;
};

class Host {
public:
  // Takes the state folder, opens the policy and the network loop; nothing is loaded yet. `log` outlives it. Errors:
  // those of StateLock::take, make_private_folder and open_policy.
  static Result<std::unique_ptr<Host>> open(Config config, const Log &log);
  ~Host();
  Host(const Host &) = delete;
  Host &operator=(const Host &) = delete;

  // [may block] The control thread: returns after request_stop, when everything is stopped. False when a plugin left
  // something behind; the process must then end without destroying this object.
  bool run();

  // [thread-safe] Reads trellis.toml and the policy again. On an error in either nothing changes. `done` runs once, on
  // the control thread: with that error, or when every plugin has come to rest.
  using ReloadDone = std::function<void(const Result<void> &)>;
  void request_reload(ReloadDone done = {});
  // [thread-safe]
  void request_stop();
  // [before run] What a supervisor of the process wants to know, called on the control thread: `status` is a line for
  // people. The first `ready` comes when every plugin has come to rest, whatever became of it.
  enum class Progress { reloading, ready, stopping };
  void on_progress(std::function<void(Progress, const std::string &status)> told) { progress_ = std::move(told); }
  // [thread-safe] Runs `message` on the control thread; not at all after run().
  void post(std::function<void()> message);
  // [thread-safe] What the plugins are and do now. `done` runs once, on the control thread; not at all after run().
  void request_status(std::function<void(const HostStatus &)> done);
  // [thread-safe] All that is counted. As request_status.
  void request_metrics(std::function<void(const std::vector<MetricFamily> &)> done);

private:
  struct Slot;
  struct Inspected;

  // `outside`: nullptr for policy "plugin".
  Host(Config config, const Log &log, StateLock lock, std::unique_ptr<NatsLoop> loop, std::unique_ptr<Policy> outside);

  HostParts parts();

  // [control thread]
  void reload(ReloadDone done);
  Result<Config> read_again();
  Result<void> check_unmoved(const Config &fresh) const;
  HostStatus status() const;
  std::vector<MetricFamily> sample_metrics();
  void apply(std::vector<PluginConfig> wanted);
  void retire(const std::string &name);
  void inspect_all();
  void inspect(Slot &slot);
  void inspected(Slot &slot, Inspected result);
  void publish_contracts();
  void policy_changed();
  void ask_all();
  void ask(Slot &slot);
  void bootstrap(Slot &slot);
  void enroll_then_bootstrap(Slot &slot);
  void ask_control_plane(Slot &slot);
  void denied(const std::string &name);
  void quarantine(const std::string &name, const std::string &why);
  static bool is_approved_apart(const Slot &slot);
  void answered(Slot &slot, const PolicyAnswer &answer);
  void undecided(Slot &slot, const std::string &detail);
  void activate(Slot &slot);
  void start_generation(Slot &slot, LoadedCode code);
  void activated(Slot &slot, std::shared_ptr<Generation> fresh, const Result<void> &result);
  static void lift_quarantine_of_others(Slot &slot);
  void start_failed(Slot &slot, const Error &problem);
  void retry_starts();
  void withdraw(Slot &slot, Phase phase, const std::string &detail);
  void rotate_dependents(const std::vector<std::string> &changed);
  void enter(Slot &slot, Phase phase, const std::string &detail = {});
  void report_when_settled();
  void report_restart_due(const Slot &slot) const;
  void stop_all();
  void stop_control_plane();
  void report_hung() const;
  std::chrono::steady_clock::time_point next_wake() const;
  void give_memory_back();

  // Runs `work` on the slot's own thread, then `done` on the control thread.
  void catch_up(Slot &slot);
  void run_on(Slot &slot, std::function<void(std::stop_token)> work, std::function<void()> done);
  static bool begin_task(Slot &slot, const std::function<void(std::stop_token)> &task);
  void retry_tasks();

  Config config_;
  const Log &log_;
  const StateLock lock_;
  std::unique_ptr<NatsLoop> loop_;
  std::mutex mutex_; // guards messages_; both outlive the policy, which may answer until its end
  std::condition_variable arrived_;
  std::deque<std::function<void()>> messages_;

  PluginPolicy control_plane_; // attached while the plugin with that role runs
  std::unique_ptr<Policy> outside_;
  Policy &policy_; // one of these two
  ContractDirectory contracts_;
  MetricsDirectory metrics_;

  // Of the control thread alone.
  std::map<std::string, std::unique_ptr<Slot>> slots_;
  std::map<std::string, std::unique_ptr<Slot>> removed_; // copies of the code of plugins that were removed
  std::vector<std::shared_ptr<Generation>> left_behind_;
  std::size_t inspections_ = 0; // under way
  std::size_t questions_ = 0;   // to policy, unanswered
  bool stopping_ = false;
  std::chrono::steady_clock::time_point give_back_at_;  // when the allocator's free pages go back to the system
  std::chrono::steady_clock::time_point stop_deadline_; // when a plugin that hangs is given up
  bool rotate_all_ = false; // connections of all that use other contracts, once contracts are published
  bool settled_ = false;
  std::vector<ReloadDone> reloads_; // to be answered when settled
  std::function<void(Progress, const std::string &)> progress_ = [](Progress, const std::string &) {};
};

// One line of `trellis-host --check`: what would happen to a plugin, without loading it or touching the network.
struct CheckLine {
  std::string plugin;
  bool ok = false; // it would run, or wait for approval
  std::string text;
};
Result<std::vector<CheckLine>> check_config(const Config &config);

// What a plugin file is, as far as it may be trusted: read, pinned or signed, and servable by this host, with settings
// that it accepts.
struct Vetted {
  std::shared_ptr<const Artifact> artifact;
  Trust trust;
  bool isolated = false; // it has to run in a process of its own
  std::shared_ptr<const PluginSettings> settings;
};
Result<Vetted> vet_plugin(const PluginConfig &plugin, const TrustRules &rules);

} // namespace trellis::host
