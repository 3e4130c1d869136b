#include "file_watch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <utility>

namespace trellis::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kQuiet{150}; // a linker is done when nothing was written for this long

} // namespace

Result<FileWatch> FileWatch::open(const std::vector<std::filesystem::path> &files) {
  FileWatch watch;
  watch.fd_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watch.fd_ < 0) return fail("watch_failed", "inotify", std::strerror(errno));
  for (const auto &file : files) {
    const auto path = std::filesystem::absolute(file);
    const int id = ::inotify_add_watch(watch.fd_, path.parent_path().c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE);
    if (id < 0) return fail("watch_failed", path.parent_path().string(), std::strerror(errno));
    watch.watched_[id].insert(path.filename().string());
  }
  return watch;
}

FileWatch::FileWatch(FileWatch &&other) noexcept
    : fd_(std::exchange(other.fd_, -1)), watched_(std::move(other.watched_)) {}

FileWatch::~FileWatch() {
  if (fd_ >= 0) ::close(fd_);
}

bool FileWatch::wait_written(Clock::time_point deadline, int other) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    std::array<pollfd, 2> ready{{{fd_, POLLIN, 0}, {other, POLLIN, 0}}};
    if (left.count() < 0 || ::poll(ready.data(), ready.size(), static_cast<int>(left.count())) <= 0) return false;
    if (ready[0].revents == 0) return false; // the other one
    alignas(inotify_event) std::array<char, 4096> buffer;
    const auto size = ::read(fd_, buffer.data(), buffer.size());
    bool ours = false;
    for (std::size_t at = 0; size > 0 && at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
      const auto *event = reinterpret_cast<const inotify_event *>(buffer.data() + at);
      const auto names = watched_.find(event->wd);
      ours = ours || (event->len > 0 && names != watched_.end() && names->second.contains(event->name));
      at += sizeof(inotify_event) + event->len;
    }
    if (ours) return true;
  }
}

bool FileWatch::wait(std::chrono::milliseconds limit) {
  if (!wait_written(Clock::now() + limit)) return false;
  while (wait_written(Clock::now() + kQuiet))
    continue;
  return true;
}

} // namespace trellis::cli
