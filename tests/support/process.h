// A program of ours as a child process: started, watched through its output, ended with the object.
//
// Lives on one thread, which must not end before the object: the kernel kills the child when that thread dies.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace trellis::test {

class Process {
public:
  // argv[0] is the program's path. Its stdout and stderr go to `output`, appended. Throws when it can't be started.
  Process(const std::vector<std::string> &argv, const std::filesystem::path &output);
  ~Process(); // SIGKILL when it still runs
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Exit status (128 + signal when one ended it), or nullopt when it still runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit = std::chrono::seconds(30));

private:
  pid_t pid_ = -1;
};

// Runs a program to its end.
struct Outcome {
  int status = 0;
  std::string out, err;
};
Outcome run_program(const std::vector<std::string> &argv, std::chrono::milliseconds limit = std::chrono::seconds(60));

} // namespace trellis::test
