#include "runtime/state_lock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace trellis::host {
namespace {

// What the holder wrote; it may be about to.
std::string holder(int fd) {
  std::array<char, 16> text{};
  const auto size = ::pread(fd, text.data(), text.size(), 0);
  const std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !pid.empty() && std::ranges::all_of(pid, is_digit) ? "pid " + pid : "a pid that it hasn't written yet";
}

} // namespace

Result<StateLock> StateLock::take(const std::filesystem::path &state_dir) {
  const auto file = state_dir / kStateLockName;
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return fail("state_dir_unusable", file.string(), std::string("can't be opened: ") + std::strerror(errno),
                "a file that this host may write to");
  StateLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail("state_dir_in_use", file.string(), "another host uses this state folder: " + holder(fd),
                  "a state_dir of each host's own");
    return fail("state_dir_unusable", file.string(), std::string("can't be locked: ") + std::strerror(errno),
                "a file system with flock");
  }
  const auto pid = std::to_string(::getpid());
  // For people only; the lock holds without it.
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0)
    return fail("state_dir_unusable", file.string(), std::string("can't be written: ") + std::strerror(errno),
                "room for a few bytes");
  return lock;
}

StateLock::StateLock(StateLock &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StateLock::~StateLock() {
  if (fd_ >= 0) ::close(fd_);
}

} // namespace trellis::host
