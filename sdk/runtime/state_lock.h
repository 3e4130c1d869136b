// One host a state folder: two would take each other's control socket, replay cache and control plane database.
//
// A flock on a file that stays: the kernel drops it with the process, however that ends, so nothing has to be cleaned
// up after a crash. Rejected: a pid file alone, which outlives its process, and whose number another process may get.
#pragma once

#include "contracts/result.h"
#include <filesystem>

namespace trellis::host {

inline constexpr char kStateLockName[] = "host.lock"; // in state_dir; holds the holder's pid as text

class StateLock {
public:
  // Errors: "state_dir_in_use" with the pid of who has it, "state_dir_unusable"; `where` is the lock file.
  static Result<StateLock> take(const std::filesystem::path &state_dir);
  StateLock(StateLock &&other) noexcept;
  StateLock &operator=(StateLock &&) = delete;
  ~StateLock();

private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

} // namespace trellis::host
