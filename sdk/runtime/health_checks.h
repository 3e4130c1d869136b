// A participant's health checks, run side by side, each within a time limit (06 §8.1).
//
// A check is somebody else's code and may hang. Then it is reported as failed, again and again, and isn't started a
// second time while it hangs: a check that hangs must not eat one thread after another. Its time is counted from its
// own start: who asks while it runs waits for the same answer, so asking often makes no check fail. The threads are its
// owner's, who is asked to run one check at a time (`post`); so checks compete with the owner's other work, and one
// that finds no thread says something true about its health.
#pragma once

#include "wire/health_report.h"
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace trellis {

struct NamedCheck {
  std::string name;
  std::function<HealthCheck()> run; // may block, must not throw; name and latency of its answer are ours
};

// [thread-safe] Lives as long as any thread that may still be in execute().
class HealthChecks {
public:
  explicit HealthChecks(std::vector<NamedCheck> checks);
  HealthChecks(const HealthChecks &) = delete;
  HealthChecks &operator=(const HealthChecks &) = delete;

  // [may block] Has every check run that isn't still running from before, and waits for all of them, each until `limit`
  // after it began; one that finds no thread until `limit` after it was posted.
  // `post(index)` has execute(index) called on another thread, never waits itself, and is false when it can't.
  // `meanwhile` runs on this thread in between. One run at a time. The results are in the order of the checks.
  std::vector<HealthCheck> run(std::chrono::milliseconds limit, const std::function<bool(std::size_t)> &post,
                               const std::function<void()> &meanwhile);
  void execute(std::size_t index);
  // Ends a run() that waits, and all later ones, without waiting for checks.
  void cancel();

  std::string_view name(std::size_t index) const { return slots_[index].check.name; }

private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { idle, posted, running, finished };
  struct Slot {
    NamedCheck check;
    Phase phase = Phase::idle;
    Clock::time_point since = {}; // when it was posted, then when it began
    HealthCheck result = {};      // once finished
    bool is_late = false;         // it was given up: nobody waits for the result
  };
  void wait_for_all(std::unique_lock<std::mutex> &lock, std::chrono::milliseconds limit);
  HealthCheck outcome(Slot &slot);

  std::mutex mutex_; // guards everything below, but not the checks themselves
  std::condition_variable finished_;
  std::vector<Slot> slots_;
  bool cancelled_ = false;
};

// What a check says when it has nothing to say: a failure with that text and errorType "TimeoutError".
HealthCheck overdue_check(std::string name, const std::string &message, double latency_ms);

} // namespace trellis
