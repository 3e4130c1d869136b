#include "nats/strand.h"
#include <utility>

namespace trellis {

void Strand::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  tasks_.push_back(std::move(task));
  if (std::exchange(running_, true)) return;
  loop_.spawn([self = shared_from_this()] { self->run(); });
}

void Strand::close(std::chrono::milliseconds timeout) {
  std::deque<std::function<void()>> dropped; // destroyed without the lock
  std::unique_lock lock(mutex_);
  closed_ = true;
  dropped.swap(tasks_);
  idle_.wait_for(lock, timeout, [this] { return !running_; });
}

void Strand::run() {
  std::unique_lock lock(mutex_);
  while (!tasks_.empty()) {
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
  running_ = false;
  idle_.notify_all();
}

} // namespace trellis
