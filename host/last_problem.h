// The latest thing that went wrong with a running plugin, and when: for `trellis host status`, which has no log at
// hand.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace trellis::host {

struct Problem {
  std::int64_t at = 0; // Unix milliseconds
  std::string text;
};

// [thread-safe]
class LastProblem {
public:
  void set(Problem problem) {
    const std::lock_guard lock(mutex_);
    last_ = std::move(problem);
  }
  std::optional<Problem> last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

private:
  mutable std::mutex mutex_; // guards last_
  std::optional<Problem> last_;
};

} // namespace trellis::host
