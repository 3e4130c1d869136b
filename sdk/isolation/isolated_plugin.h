// A plugin in a process of its own, behind the same struct as one in this process: whoever has the `trellis_plugin`
// can't tell, so everything that the host does for a plugin (proofs, schemas, queues, deadlines, connections) is the
// same code in both modes.
//
// The process holds the plugin's code and nothing else. The plugin's NATS connection, session key and credentials stay
// in the host, and each function of the ABI is a frame on a socket. So the host knows every request that the process
// has, and when it dies, by whatever signal, answers them at once with `trellis.rpc.crashed`, on the connection that
// may answer them. A process with its own connection could be faster by one of two trips over the socket, but its
// death would leave its callers waiting for their timeouts: nobody else may answer for a connection that is gone.
//
// A process that dies is started again after a pause; what arrives meanwhile waits for it. One that dies too often
// stays down until somebody looks.
#pragma once

#include "artifact/artifact.h"
#include "isolation/settings.h"
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <trellis/plugin.h>

namespace trellis::isolation {

inline constexpr char kCrashedCode[] = "trellis.rpc.crashed"; // TransportError for requests that a process took along

class IsolatedPlugin {
public:
  struct Options {
    std::string name;
    std::shared_ptr<const Artifact> artifact;
    IsolationSettings settings;
    std::size_t max_concurrency = 8;
    std::chrono::milliseconds deadline{10'000}; // of a request
    std::filesystem::path state_dir;            // crashes/ and data folders lie here
    std::filesystem::path config_dir;           // of trellis.toml
    std::size_t uid_base = 0;
    // [any thread; be quick] It crashed too often and stays down.
    std::function<void(const std::string &why)> on_quarantined;
  };

  // [may block] Starts the process and makes the instance in it. `host` outlives this object. Errors:
  // "isolation_exposed" when it could read the host's files, "isolation_folder", "isolation_spawn", "sandbox",
  // "threads" when the host's user may have no further process or thread, "create_failed" and those of loading.
  static Result<std::unique_ptr<IsolatedPlugin>> create(Options options, const trellis_host *host);
  ~IsolatedPlugin(); // ends the process
  IsolatedPlugin(const IsolatedPlugin &) = delete;
  IsolatedPlugin &operator=(const IsolatedPlugin &) = delete;

  // Until the end of this object. Its destroy ends the process.
  const trellis_plugin *table() const;
  const std::string &program() const;
  const std::string &version() const;
  // [may block] After the plugin's stop: ends the process at once, so that whoever waits for it is told. There is
  // nothing left to do for destroy then.
  void end();

  struct Status {
    pid_t pid = -1; // -1: none at the moment
    std::uint64_t restarts = 0;
    bool ended = false;     // there won't be another process
    std::string last_crash; // "" or what happened, and the report's path
  };
  Status status() const; // [thread-safe]

  struct State;

private:
  explicit IsolatedPlugin(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_; // shared with answers that are still under way
};

// Whether this system keeps the host's own files from an isolated process: Landlock, or a user of its own.
bool isolation_guards_files();

// Error "isolation_exposed" when a plugin with the host's user could read one of these folders of the host: rules of
// Landlock have no exceptions, so a state folder below /usr would be as readable as /usr.
Result<void> check_not_exposed(const std::vector<std::filesystem::path> &folders, const IsolationSettings &settings);

// What of `settings` this system can't do, for --check and the log: empty when it can do all of it.
std::vector<std::string> isolation_gaps(const IsolationSettings &settings);

} // namespace trellis::isolation
