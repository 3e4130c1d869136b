// Requests without a pause, a fixed number of them in flight, for tests that change something underneath.
#pragma once

#include "transport/transport.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

namespace trellis::test {

class RequestLoad {
public:
  RequestLoad(Transport &transport, std::string subject, int in_flight)
      : transport_(transport), subject_(std::move(subject)) {
    for (int i = 0; i < in_flight; ++i)
      send();
  }

  ~RequestLoad() { finish(); }
  RequestLoad(const RequestLoad &) = delete;
  RequestLoad &operator=(const RequestLoad &) = delete;

  // Ends the load: afterwards every request has been answered.
  void finish() {
    stop_ = true;
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return in_flight_ == 0; });
  }

  int answered() const { return answered_; }
  std::map<std::string, int> failures() const { // by error code
    const std::lock_guard lock(mutex_);
    return failures_;
  }

private:
  void send() {
    {
      const std::lock_guard lock(mutex_);
      ++in_flight_;
    }
    transport_.request({.subject = subject_, .payload = "x"}, std::chrono::seconds(10),
                       [this](Result<MessagePtr> reply) { on_reply(reply); });
  }

  void on_reply(const Result<MessagePtr> &reply) {
    if (reply) ++answered_;
    // A failed one isn't followed by another: close() answers inside the call, which would never end.
    if (reply && !stop_) send();
    const std::lock_guard lock(mutex_);
    if (!reply) ++failures_[reply.error().code];
    if (--in_flight_ == 0) idle_.notify_all();
  }

  Transport &transport_;
  const std::string subject_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> answered_ = 0;
  mutable std::mutex mutex_; // guards everything below
  std::condition_variable idle_;
  std::map<std::string, int> failures_;
  int in_flight_ = 0;
};

} // namespace trellis::test
