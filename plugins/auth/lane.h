// A lane: a bounded queue with threads of its own (ARCHITECTURE §7), so that one kind of work never waits behind
// another.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace trellis::auth {

class Lane {
public:
  using Work = std::function<void()>;

  Lane(std::size_t threads, std::size_t most_waiting);
  // [may block] Does what has been accepted, then ends the threads.
  ~Lane();
  Lane(const Lane &) = delete;
  Lane &operator=(const Lane &) = delete;

  // [thread-safe] Never waits. False when the queue is full or the lane ends: the work won't be done.
  bool run(Work work);

private:
  void serve();

  const std::size_t most_waiting_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

} // namespace trellis::auth
