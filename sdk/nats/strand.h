// Runs tasks one after the other on a thread that exists only while there are any.
//
// Connecting blocks (nats.c has no other way), so each transport needs a thread of its own for it, or one dead server
// would hold up the others; but an idle transport should cost none. The threads belong to the loop, which waits for
// them in its destructor.
#pragma once

#include "nats/event_loop.h"
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace trellis {

class Strand final : public std::enable_shared_from_this<Strand> {
public:
  static std::shared_ptr<Strand> make(EventLoop &loop) { return std::shared_ptr<Strand>(new Strand(loop)); }

  // [thread-safe] Tasks run in this order. After close() they are dropped.
  void post(std::function<void()> task);
  // [may block] Drops what hasn't started and waits for the rest, at most `timeout`; not from inside a task.
  void close(std::chrono::milliseconds timeout);

private:
  explicit Strand(EventLoop &loop) : loop_(loop) {}
  void run();

  EventLoop &loop_;
  std::mutex mutex_; // guards everything below
  std::condition_variable idle_;
  std::deque<std::function<void()>> tasks_;
  bool running_ = false;
  bool closed_ = false;
};

} // namespace trellis
