#include "store/file_lock.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>

namespace trellis::auth {
namespace {

// "process 4711", as the holder wrote it. It may not have come to that yet, and in another container it has another
// number there.
std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const auto size = ::pread(fd, text.data(), text.size(), 0);
  std::string digits;
  for (ssize_t i = 0; i < size && text[static_cast<std::size_t>(i)] >= '0' && text[static_cast<std::size_t>(i)] <= '9';
       ++i)
    digits += text[static_cast<std::size_t>(i)];
  return digits.empty() ? "another process" : "process " + digits;
}

// Only for the message that others get: a full disk mustn't keep the holder from starting.
void sign(int fd) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) < 0) return;
}

} // namespace

Result<FileLock> FileLock::take(const std::filesystem::path &file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return fail("database_unreadable", file.string(),
                "its lock " + file.filename().string() + " can't be made: " + std::strerror(errno),
                "a folder that this program may write to");
  FileLock lock(fd);
  int done = 0;
  do
    done = ::flock(fd, LOCK_EX | LOCK_NB);
  while (done != 0 && errno == EINTR);
  if (done == 0) {
    sign(fd);
    return lock;
  }
  if (errno != EWOULDBLOCK)
    return fail("database_unreadable", file.string(), std::string("can't be locked: ") + std::strerror(errno),
                "a file system that can lock files");
  return fail("database_in_use", file.string(), "is held by " + holder_of(fd),
              "one control plane at a time: end the other one, or give this one another storage.dbPath");
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

} // namespace trellis::auth
