// A gate that callbacks pass: close() lets no more in and waits for those inside.
//
// It is what makes "afterwards the callback is neither running nor called again" true for subscriptions and for a
// closed transport. A mutex held during the callback would do the same, but would also serialise callbacks that may run
// side by side. Closing a gate from inside it would wait for itself.
#pragma once

#include <condition_variable>
#include <mutex>

namespace trellis {

class Gate {
public:
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    ++inside_;
    return true;
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    if (--inside_ == 0 && closed_) left_.notify_all();
  }

  // [may block] Idempotent, also from several threads: each returns when nobody is inside.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    left_.wait(lock, [this] { return inside_ == 0; });
  }

  // Runs `call` inside the gate; false when it is closed.
  template <class Call>
  bool pass(Call &&call) {
    if (!enter()) return false;
    const Pass pass{*this};
    call();
    return true;
  }

private:
  struct Pass {
    Gate &gate;
    ~Pass() { gate.leave(); }
  };

  std::mutex mutex_; // guards everything below
  std::condition_variable left_;
  int inside_ = 0;
  bool closed_ = false;
};

} // namespace trellis
