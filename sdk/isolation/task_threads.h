// Threads that run tasks in their order of arrival; started when needed, up to a number.
//
// Both ends of an isolated plugin use it: the child for handlers, the host for functions that wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace trellis::isolation {

class TaskThreads {
public:
  using Clock = std::chrono::steady_clock;

  // `each`: runs first on every thread; may be empty.
  explicit TaskThreads(std::size_t most, std::function<void()> each = {}) : most_(most), each_(std::move(each)) {}
  ~TaskThreads() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      waiting_.clear();
    }
    arrived_.notify_all();
    for (auto &thread : threads_)
      thread.join();
  }
  TaskThreads(const TaskThreads &) = delete;
  TaskThreads &operator=(const TaskThreads &) = delete;

  // [thread-safe]
  void post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(task));
      if (waiting_.size() > idle_ && threads_.size() < most_) threads_.emplace_back([this] { run(); });
    }
    arrived_.notify_one();
  }

  struct Counts {
    std::size_t running = 0, waiting = 0;
    std::chrono::milliseconds since_progress{0}; // since a thread last took or finished a task
  };
  // [thread-safe]
  Counts counts() const {
    const std::lock_guard lock(mutex_);
    return {running_, waiting_.size(), std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - progress_)};
  }

private:
  void run() {
    if (each_) each_();
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      arrived_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      --idle_;
      if (waiting_.empty()) return;
      auto task = std::move(waiting_.front());
      waiting_.pop_front();
      ++running_;
      progress_ = Clock::now();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
      --running_;
      progress_ = Clock::now();
    }
  }

  const std::size_t most_;
  const std::function<void()> each_;
  mutable std::mutex mutex_; // guards everything below
  std::condition_variable arrived_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0, running_ = 0;
  Clock::time_point progress_ = Clock::now();
  bool ending_ = false;
};

} // namespace trellis::isolation
