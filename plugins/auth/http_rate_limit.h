// The fixed-window limiter of /auth/* (04 §3.5), keyed by the socket's address.
//
// One mutex guards the table; a look-up is a hash and a comparison. Windows that are over are dropped whenever the
// table has doubled, so that it holds at most twice the addresses of one window. Rejected: a sliding window or token
// bucket, which would be fairer but is not what the headers of the protocol promise.
#pragma once

#include "http_api.h"
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace trellis::auth {

class RateLimiter {
public:
  RateLimiter(double window_ms, double max);
  bool enabled() const { return max_ > 0; }

  struct Verdict {
    bool allowed = true;
    std::int64_t remaining = 0, reset_seconds = 0;
  };
  // [thread-safe] Counts one request of `key` at `now_ms`.
  Verdict count(std::string_view key, std::int64_t now_ms);
  // The headers of every limited response; with Retry-After when it wasn't allowed.
  void add_headers(HttpResponse &response, const Verdict &verdict) const;
  static HttpResponse refusal();

private:
  struct Window {
    std::int64_t until_ms = 0, used = 0;
  };
  void forget_old(std::int64_t now_ms);

  const double window_ms_, max_;
  std::mutex mutex_; // guards what follows
  std::unordered_map<std::string, Window> windows_;
  std::size_t forget_at_ = 1024;
};

} // namespace trellis::auth
