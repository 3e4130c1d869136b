#include "http_workers.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

namespace trellis::auth {
namespace {

constexpr std::chrono::seconds kIdle{10};

} // namespace

HttpWorkers::HttpWorkers(std::size_t limit) : limit_(std::max<std::size_t>(limit, 1)) {}

// The threads are detached, because they end by themselves in any order; the count says when the last one is gone.
HttpWorkers::~HttpWorkers() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  work_arrived_.notify_all();
  thread_ended_.wait(lock, [&] { return threads_ == 0; });
}

bool HttpWorkers::run(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(work));
  if (idle_ >= waiting_.size() || threads_ >= limit_) {
    work_arrived_.notify_one();
    return true;
  }
  try {
    std::thread([this] { serve(); }).detach();
    ++threads_;
  } catch (const std::system_error &) { // no more threads: those that there are serve it later
    if (threads_ > 0) return true;
    waiting_.pop_back();
    return false;
  }
  return true;
}

void HttpWorkers::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool busy = work_arrived_.wait_for(lock, kIdle, [&] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (!busy || waiting_.empty()) break;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr; // what it holds goes before anybody may think that it is done
    lock.lock();
  }
  --threads_;
  // Under the lock: once it is released with no thread left, this object may be gone.
  thread_ended_.notify_all();
}

} // namespace trellis::auth
