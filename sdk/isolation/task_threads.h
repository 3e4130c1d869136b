// Threads that run tasks in their order of arrival; started when needed, up to a number.
//
// Both ends of an isolated plugin use it: the child for handlers, the host for functions that wait. A task may end its
// thread (pthread_exit in a plugin), as in the host's own workers: another takes its place.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <system_error>
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

  // [thread-safe] Starts the first thread, so that there is one whatever others take. False when the system has none.
  bool begin() {
    const std::lock_guard lock(mutex_);
    return !threads_.empty() || start_thread();
  }

  // [thread-safe] When the system has no further thread to give, the task waits for one that there is.
  void post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(task));
      start_when_needed();
    }
    arrived_.notify_one();
  }

  struct Counts {
    std::size_t idle = 0, waiting = 0;           // threads without a task, tasks without a thread
    std::chrono::milliseconds since_progress{0}; // since a thread last started, or took or finished a task
  };
  // [thread-safe]
  Counts counts() const {
    const std::lock_guard lock(mutex_);
    return {idle_, waiting_.size(), std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - progress_)};
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
      run_task(task, lock);
    }
  }

  // With the lock, which is free while the task runs. A task that ends its thread unwinds through here.
  void run_task(std::function<void()> &task, std::unique_lock<std::mutex> &lock) {
    struct Finish {
      TaskThreads &threads;
      std::unique_lock<std::mutex> &lock;
      bool returned = false;
      ~Finish() {
        lock.lock();
        threads.progress_ = Clock::now();
        if (!returned) threads.replace_this_thread();
      }
    };
    progress_ = Clock::now();
    lock.unlock();
    Finish finish{*this, lock};
    task();
    task = nullptr;
    finish.returned = true;
  }

  // The rest with the lock.

  bool start_thread() {
    try {
      threads_.emplace_back([this] { run(); });
      progress_ = Clock::now();
      return true;
    } catch (const std::system_error &) { // the next task asks again
      return false;
    }
  }
  void start_when_needed() {
    if (waiting_.size() > idle_ && threads_.size() < most_) start_thread();
  }
  void replace_this_thread() {
    const auto is_this = [](const std::thread &thread) { return thread.get_id() == std::this_thread::get_id(); };
    const auto self = std::ranges::find_if(threads_, is_this);
    self->detach(); // its stack goes with it
    threads_.erase(self);
    start_when_needed();
  }

  const std::size_t most_;
  const std::function<void()> each_;
  mutable std::mutex mutex_; // guards everything below
  std::condition_variable arrived_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  Clock::time_point progress_ = Clock::now();
  bool ending_ = false;
};

} // namespace trellis::isolation
