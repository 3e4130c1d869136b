// What keeps a replaced connection open: each message that came in on it, each request sent on it that waits for its
// answer, and each subscription that still drains holds one.
#pragma once

#include <memory>
#include <utility>

namespace trellis {

class Connection;

class ConnectionUse {
public:
  ConnectionUse() = default;
  explicit ConnectionUse(std::shared_ptr<Connection> connection); // counts
  ~ConnectionUse() { reset(); }
  ConnectionUse(ConnectionUse &&other) noexcept : connection_(std::move(other.connection_)) {}
  ConnectionUse &operator=(ConnectionUse &&other) noexcept {
    if (this == &other) return *this;
    reset();
    connection_ = std::move(other.connection_);
    return *this;
  }
  ConnectionUse(const ConnectionUse &) = delete;
  ConnectionUse &operator=(const ConnectionUse &) = delete;

  Connection *get() const { return connection_.get(); }
  Connection *operator->() const { return connection_.get(); }
  const std::shared_ptr<Connection> &shared() const { return connection_; }
  void reset(); // may tell the owner that nobody uses the connection any more

private:
  std::shared_ptr<Connection> connection_;
};

} // namespace trellis
