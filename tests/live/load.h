// A steady stream of calls in the background, counted by outcome: what "under load" means in the fault tests.
#pragma once

#include "live_host.h"
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace trellis::test {

class Load {
public:
  // Keeps `window` calls of Echo.Say in flight until stop(). Each call is one logical request: RpcClient itself retries
  // on no-responders, as every client does (06 §3.1).
  Load(Caller &caller, int window, std::chrono::milliseconds timeout);
  ~Load() { stop(); }

  void stop(); // waits for what is in flight
  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }
  // The failures by error code, for messages.
  std::string failures() const;

private:
  void run();

  Caller &caller_;
  const RpcMethod method_;
  const std::chrono::milliseconds timeout_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> answered_ = 0, failed_ = 0;
  mutable std::mutex mutex_; // guards codes_
  std::map<std::string, int> codes_;
  std::vector<std::thread> threads_;
};

} // namespace trellis::test
