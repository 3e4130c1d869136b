// A private part of IsolatedPlugin, shared by the files that implement it: isolated_plugin.cpp is its life,
// isolated_table.cpp what the host calls, isolated_calls.cpp what the process asks.
#pragma once

#include "isolation/abi_frames.h"
#include "isolation/cgroup.h"
#include "isolation/crash_report.h"
#include "isolation/create_settings.h"
#include "isolation/folders.h"
#include "isolation/isolated_plugin.h"
#include "isolation/plugin_process.h"
#include "isolation/task_threads.h"
#include <condition_variable>
#include <deque>
#include <map>
#include <set>
#include <vector>

namespace trellis::isolation {

// The table that the host sees, made from what `created` told. Constant from then on.
struct PluginTable {
  trellis_plugin plugin{};
  std::vector<trellis_handler> handlers;
  std::vector<const trellis_handler *> handler_pointers;
  std::vector<trellis_health_check> checks;
  std::vector<const trellis_health_check *> check_pointers;
  trellis_health_v1 health{};
  bool has_health = false, offers_host_only = false;
  std::string program, version;
  ReceivedFrame told; // what the texts point into

  // Error "create_failed": more listeners or checks than there are functions for.
  Result<void> fill(ReceivedFrame created, IsolatedPlugin::State *self);
};

// The ABI's functions that the table consists of.
trellis_event_fn event_function(std::size_t handler);                    // nullptr beyond kMaxListeners
decltype(trellis_health_check::check) check_function(std::size_t check); // nullptr beyond kMaxChecks
inline constexpr std::size_t kMaxListeners = 256, kMaxChecks = 64;

struct IsolatedPlugin::State : std::enable_shared_from_this<IsolatedPlugin::State> {
  using Clock = std::chrono::steady_clock;

  State(Options given, const trellis_host *given_host);

  const Options options;
  const trellis_host *const host;
  // The host's extensions; nullptr when it has none of that name.
  const trellis_transport_v1 *transport = nullptr;
  const trellis_events_v1 *events = nullptr;
  const trellis_feeds_v1 *feeds = nullptr;
  const trellis_metrics_v1 *metrics = nullptr;

  CreateSettings settings;
  PluginFolder folder;
  std::filesystem::path parent_group; // control group to divide; "" without
  PluginTable table;
  std::atomic<std::size_t> outstanding = 0, outstanding_bytes = 0; // questions whose answers are still to come

  enum class Phase {
    creating,   // the first process makes the instance
    created,    // and waits to be started
    running,    //
    restarting, // a process crashed: the next one is on its way
    stopping,   // its end is wanted
    ended,      // there is no process, and won't be one
  };
  mutable std::mutex mutex; // guards what follows, up to `process`
  std::condition_variable changed;
  Phase phase = Phase::creating;
  Error problem;                                // why it ended
  std::set<std::uint64_t> calls;                // that the process has
  std::map<std::uint64_t, std::string> streams; // and their surfaces
  struct Held {
    trellis_call call;
    std::string frame; // encoded
  };
  std::deque<Held> held;        // requests that wait for the next process
  Clock::time_point restart_at; // when it is started
  struct Waiter {
    bool done = false;
    ReceivedFrame answer;
  };
  std::map<std::uint64_t, Waiter *> waiters;
  std::uint64_t next_id = 16; // below: ids of our own, see isolated_plugin.cpp
  std::deque<Clock::time_point> crashes;
  Status status;
  std::deque<std::string> last_lines;

  // Of the supervising thread alone.
  std::filesystem::path group; // of the process; "" without
  Clock::time_point log_window;
  std::size_t logged = 0, unlogged = 0;
  std::optional<Error> lacking; // what the system didn't give to the process that is to end for it
  std::size_t lacked = 0;       // attempts in a row that failed for it

  std::unique_ptr<TaskThreads> waiting;   // host functions that wait; ended before the last of this goes
  std::unique_ptr<PluginProcess> process; // its thread uses the rest

  // isolated_plugin.cpp
  Result<void> prepare();
  Result<void> begin();
  Result<void> wait_created();
  void log(std::int32_t level, std::string_view message, std::string_view fields = {}) const;
  void log_of_plugin(std::int32_t level, std::string_view message, std::string_view fields);
  void remember(std::string_view line);
  Result<void> spawned(pid_t pid);
  void received(ReceivedFrame frame);
  void answered(ReceivedFrame frame);
  bool is_being_made() const;
  void created(ReceivedFrame frame);
  void create_failed(const Error &why);
  void started(const Frame &answer);
  std::optional<std::chrono::milliseconds> ended(const PluginProcess::End &end);
  std::optional<std::chrono::milliseconds> crashed(const PluginProcess::End &end, std::unique_lock<std::mutex> &lock);
  std::chrono::milliseconds lacks(const Error &why, std::unique_lock<std::mutex> &lock);
  std::chrono::milliseconds pause_before(std::size_t attempt) const;
  std::string report(const PluginProcess::End &end, const std::string &cause);
  void leave_group();
  void give_up(const Error &why);
  void fail_in_flight(const std::string &why);
  void fail_held(const std::string &why);

  // isolated_table.cpp: a question to the process
  trellis_status ask(Frame frame, trellis_sink output, trellis_error_sink error);
  void fail_call(trellis_call call, const std::string &why) const;

  // isolated_calls.cpp
  void serve(ReceivedFrame frame);
};

} // namespace trellis::isolation
