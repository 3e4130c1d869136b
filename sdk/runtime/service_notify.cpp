#include "runtime/service_notify.h"

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <stop_token>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace trellis {
namespace {

// The variable's value, which then isn't there any more; "" when it wasn't.
std::string take_variable(const char *name) {
  const char *value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): before any thread starts
  std::string out = value ? value : "";
  ::unsetenv(name); // NOLINT(concurrency-mt-unsafe)
  return out;
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

// A status is one line.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char &c : out)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return out;
}

} // namespace

ServiceNotifier ServiceNotifier::from_environment() {
  const auto socket = take_variable("NOTIFY_SOCKET");
  const auto interval = number_of(take_variable("WATCHDOG_USEC"));
  const auto pid = take_variable("WATCHDOG_PID");
  const bool is_ours = pid.empty() || pid == std::to_string(::getpid());
  std::optional<std::chrono::microseconds> watchdog;
  if (interval && is_ours) watchdog = std::chrono::microseconds(*interval);
  return ServiceNotifier(socket, watchdog);
}

ServiceNotifier::ServiceNotifier(std::string_view socket, std::optional<std::chrono::microseconds> watchdog)
    : address_(socket), watchdog_(watchdog) {
  const bool is_address = address_.starts_with('/') || (address_.starts_with('@') && address_.size() > 1);
  if (!is_address || address_.size() >= sizeof(sockaddr_un::sun_path)) return;
  if (address_[0] == '@') address_[0] = '\0';
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

ServiceNotifier::ServiceNotifier(ServiceNotifier &&other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)), watchdog_(other.watchdog_) {}

ServiceNotifier::~ServiceNotifier() {
  if (fd_ >= 0) ::close(fd_);
}

// Not connected: the manager may make its socket anew.
void ServiceNotifier::send(std::string_view lines) const {
  if (fd_ < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  (void)::sendto(fd_, lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr *>(&address), size);
}

void ServiceNotifier::ready(std::string_view status) const {
  send("READY=1\nSTATUS=" + one_line(status));
}

void ServiceNotifier::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec) + "\nSTATUS=reloading");
}

void ServiceNotifier::stopping() const {
  send("STOPPING=1\nSTATUS=stopping");
}

void ServiceNotifier::alive() const {
  send("WATCHDOG=1");
}

Watchdog::Watchdog(const ServiceNotifier &notifier, std::function<void(std::function<void()>)> post) {
  if (!notifier.watchdog()) return;
  thread_ = std::jthread([&notifier, post = std::move(post)](const std::stop_token &stop) {
    const auto pause = *notifier.watchdog() / 3;
    const auto waiting = std::make_shared<std::atomic<bool>>(false); // a message lies there
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      if (!waiting->exchange(true))
        post([&notifier, waiting] {
          notifier.alive();
          waiting->store(false);
        });
      stopped.wait_for(lock, stop, pause, [] { return false; });
    }
  });
}

} // namespace trellis
