// The process of one isolated plugin as the host sees it: started, addressed by a pidfd, ended.
//
// It is this program again, from /proc/self/exe, which names the file that runs even when the path holds a newer one.
// Nothing is inherited but what the child needs: descriptors 3 to 5 below, /dev/null, and a pipe for what it prints.
// Rejected: fork without exec, which would leave a copy of the host's memory, keys included, in the child.
#pragma once

#include "contracts/result.h"
#include <string>
#include <sys/types.h>
#include <utility>

namespace trellis::isolation {

inline constexpr char kChildArgument[] = "--isolated-plugin"; // argv[1]; argv[2] is the plugin's name
inline constexpr int kChildSocket = 3, kChildArtifact = 4, kChildCrashArea = 5;

// A descriptor that is closed with its owner.
class OwnedFd {
public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd &operator=(OwnedFd &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  OwnedFd(const OwnedFd &) = delete;
  OwnedFd &operator=(const OwnedFd &) = delete;
  ~OwnedFd();
  int get() const { return fd_; }

private:
  int fd_ = -1;
};

struct ChildProcess {
  pid_t pid = -1;
  OwnedFd pidfd, socket, output, crash_area; // socket and output don't block
};

// The calling thread has to live as long as the child: the kernel kills the child when that thread ends. Errors
// "isolation_spawn", and "threads" when the host's user may have no further process.
Result<ChildProcess> spawn_child(const std::string &plugin, int artifact);

void send_signal(const ChildProcess &child, int signal);
// How it ended, as si_code and si_status of waitid; [may block] until it has.
struct ChildEnd {
  int code = 0, status = 0;
};
ChildEnd wait_for_end(const ChildProcess &child);

} // namespace trellis::isolation
