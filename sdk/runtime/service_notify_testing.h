// For tests: a service manager's end of the notification socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace trellis::testing {

class NotifySocket {
public:
  // A path, or "@name" for an abstract one.
  explicit NotifySocket(std::string address) : address_(std::move(address)) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address_.data(), address_.size());
    if (address_[0] == '@') name.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    if (::bind(fd_, reinterpret_cast<const sockaddr *>(&name), size) != 0)
      throw std::runtime_error("no socket at " + address_);
  }
  ~NotifySocket() {
    ::close(fd_);
    if (address_[0] != '@') ::unlink(address_.c_str());
  }
  NotifySocket(const NotifySocket &) = delete;
  NotifySocket &operator=(const NotifySocket &) = delete;

  const std::string &address() const { return address_; }
  // The next datagram; "" when none comes in time.
  std::string next(std::chrono::milliseconds limit = std::chrono::seconds(5)) const {
    pollfd poll{fd_, POLLIN, 0};
    if (::poll(&poll, 1, static_cast<int>(limit.count())) != 1) return {};
    char buffer[1024];
    const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
    return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : std::string();
  }

private:
  std::string address_;
  int fd_ = -1;
};

} // namespace trellis::testing
