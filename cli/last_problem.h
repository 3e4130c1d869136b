// The latest thing that a connection complained about, for a message when nothing else explains a failure.
#pragma once

#include "contracts/result.h"
#include <mutex>

namespace trellis::cli {

// [thread-safe] Network threads write it.
class LastProblem {
public:
  void set(const Error &error) {
    const std::lock_guard lock(mutex_);
    last_ = error;
  }
  Error last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

private:
  mutable std::mutex mutex_; // guards last_
  Error last_;
};

} // namespace trellis::cli
