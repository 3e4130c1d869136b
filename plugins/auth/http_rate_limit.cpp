#include "http_rate_limit.h"

#include "http_reply.h"
#include <algorithm>
#include <cmath>

namespace trellis::auth {
namespace {

constexpr double kLargest = 9007199254740991.0;

std::int64_t whole(double value) {
  return static_cast<std::int64_t>(std::min(value, kLargest));
}

} // namespace

RateLimiter::RateLimiter(double window_ms, double max) : window_ms_(std::max(window_ms, 0.0)), max_(max) {}

void RateLimiter::forget_old(std::int64_t now_ms) {
  if (windows_.size() < forget_at_) return;
  std::erase_if(windows_, [&](const auto &entry) { return entry.second.until_ms <= now_ms; });
  forget_at_ = std::max<std::size_t>(1024, windows_.size() * 2);
}

RateLimiter::Verdict RateLimiter::count(std::string_view key, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  forget_old(now_ms);
  auto &window = windows_[std::string(key)];
  const auto length = whole(window_ms_);
  // A clock that was set back must not make a window longer than it is.
  if (window.until_ms <= now_ms || window.until_ms > now_ms + length) window = {now_ms + length, 0};
  const auto max = whole(std::floor(max_));
  Verdict out;
  out.allowed = window.used < max;
  if (out.allowed) ++window.used;
  out.remaining = max - window.used;
  out.reset_seconds = (window.until_ms - now_ms + 999) / 1000;
  return out;
}

void RateLimiter::add_headers(HttpResponse &response, const Verdict &verdict) const {
  const auto max = std::to_string(whole(std::floor(max_)));
  set_header(response, "RateLimit-Policy", max + ";w=" + std::to_string(whole(std::ceil(window_ms_ / 1000))));
  set_header(response, "RateLimit-Limit", max);
  set_header(response, "RateLimit-Remaining", std::to_string(verdict.remaining));
  set_header(response, "RateLimit-Reset", std::to_string(verdict.reset_seconds));
  if (!verdict.allowed) set_header(response, "Retry-After", std::to_string(verdict.reset_seconds));
}

HttpResponse RateLimiter::refusal() {
  HttpResponse out;
  out.status = 429;
  set_header(out, "Content-Type", "text/plain; charset=UTF-8");
  out.body = "Too many requests, please try again later.";
  return out;
}

} // namespace trellis::auth
