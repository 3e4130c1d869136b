// Threads that run the routes, so that a route which waits (for KV, the database, a password hash) holds no I/O thread.
//
// A thread is started when work arrives and none is idle, up to a limit, and ends after ten idle seconds: a burst of
// slow logins gets the threads that it needs and the quiet control plane keeps one or two. Rejected: a fixed set, which
// is either too small for the burst or a crowd of stacks for nothing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace trellis::auth {

class HttpWorkers {
public:
  explicit HttpWorkers(std::size_t limit);
  ~HttpWorkers(); // waits for the work that it accepted
  HttpWorkers(const HttpWorkers &) = delete;
  HttpWorkers &operator=(const HttpWorkers &) = delete;

  // [thread-safe] Waits in line when all threads are busy; the caller bounds how much that is (one a connection).
  // False: the system has no thread to give and there is none yet; the work is dropped.
  [[nodiscard]] bool run(std::function<void()> work);

private:
  void serve();

  const std::size_t limit_;
  std::mutex mutex_; // guards what follows
  std::condition_variable work_arrived_, thread_ended_;
  std::deque<std::function<void()>> waiting_;
  std::size_t threads_ = 0, idle_ = 0;
  bool stopping_ = false;
};

} // namespace trellis::auth
