// What a service manager is told about this process: the sd_notify protocol of systemd, over $NOTIFY_SOCKET.
//
// One datagram of NAME=VALUE lines on a Unix socket; forty lines, so no library. Without the variable (a shell, another
// manager) nothing is sent. Nothing here waits: a manager that doesn't read must not stop the host.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace trellis {

class ServiceNotifier {
public:
  // Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child speaks for us.
  // [before any thread starts]
  static ServiceNotifier from_environment();
  ServiceNotifier() = default;
  // `socket`: a path, or "@name" for an abstract one. Nobody has to listen yet.
  explicit ServiceNotifier(std::string_view socket, std::optional<std::chrono::microseconds> watchdog = {});
  ServiceNotifier(ServiceNotifier &&other) noexcept;
  ServiceNotifier &operator=(ServiceNotifier &&) = delete;
  ~ServiceNotifier();

  // [thread-safe] Ready, or ready again after reloading. `status`: one line for people.
  void ready(std::string_view status) const;
  void reloading() const; // with the time, which Type=notify-reload asks for
  void stopping() const;
  void alive() const; // the watchdog's ping
  // How often the manager wants to hear that; nullopt: not at all.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

private:
  void send(std::string_view lines) const;

  int fd_ = -1;
  std::string address_; // sun_path, with the NUL that an abstract one begins with
  std::optional<std::chrono::microseconds> watchdog_;
};

// Pings as long as one thread really turns: every third of the interval it posts a message to that thread, and only the
// message pings. A thread that is stuck leaves it lying, and no second one is posted.
class Watchdog {
public:
  // `post`: runs its argument once on the watched thread, or never again when that has ended; it may outlive this
  // object. `notifier` outlives whatever was posted. Without an interval nothing happens.
  Watchdog(const ServiceNotifier &notifier, std::function<void(std::function<void()>)> post);

private:
  std::jthread thread_;
};

} // namespace trellis
