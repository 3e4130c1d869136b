// A program that a command runs for its own time: nats-server, trellis-host. Ends with the command, however that ends.
#pragma once

#include "contracts/result.h"
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace trellis::cli {

class ChildProcess {
public:
  // argv[0] is a path, or a name that is looked up in PATH. `output`: where stdout and stderr go, "" = ours. The child
  // dies with the thread that started it. Error "program_missing", "program_failed".
  static Result<ChildProcess> start(const std::vector<std::string> &argv, const std::filesystem::path &output);

  ChildProcess(ChildProcess &&other) noexcept;
  ChildProcess &operator=(ChildProcess &&) = delete;
  ~ChildProcess(); // SIGKILL when it still runs

  pid_t pid() const { return pid_; }
  // Readable once it has ended, for poll(); ours to close.
  int ended_fd() const { return ended_fd_; }
  void signal(int number) const;
  bool running();
  // Asks with SIGTERM, insists with SIGKILL after `patience`. Exit status, 128 + signal.
  int end(std::chrono::milliseconds patience);

private:
  explicit ChildProcess(pid_t pid);
  pid_t pid_ = -1;
  int ended_fd_ = -1; // a pidfd
  std::optional<int> status_;
};

// Where the program `name` is: beside this one, where the build puts it (`folder` beside our own folder), or in PATH.
Result<std::filesystem::path> find_program(const std::string &name, const std::string &folder = {});
// Where the plugin of ours called `name` is: as installed (../lib/trellis/plugins/NAME.so from here), or where the
// build puts it (plugins/NAME/NAME.so). Error "plugin_missing".
Result<std::filesystem::path> find_plugin(const std::string &name);

} // namespace trellis::cli
