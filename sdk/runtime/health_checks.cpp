#include "runtime/health_checks.h"

#include <algorithm>
#include <utility>

namespace trellis {
namespace {

double milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::string whole(double ms) {
  return std::to_string(static_cast<long long>(ms)) + " ms";
}

} // namespace

HealthCheck overdue_check(std::string name, const std::string &message, double latency_ms) {
  auto check = failed_check(std::move(name), message, "TimeoutError", {});
  check.latency_ms = latency_ms;
  return check;
}

HealthChecks::HealthChecks(std::vector<NamedCheck> checks) {
  for (auto &check : checks)
    slots_.push_back({std::move(check)});
}

std::vector<HealthCheck> HealthChecks::run(std::chrono::milliseconds limit,
                                           const std::function<bool(std::size_t)> &post,
                                           const std::function<void()> &meanwhile) {
  std::vector<std::size_t> wanted;
  std::unique_lock lock(mutex_);
  for (std::size_t i = 0; i < slots_.size() && !cancelled_; ++i) {
    slots_[i].is_late = false; // of one that is still on its way, the result counts again
    if (slots_[i].phase != Phase::idle) continue;
    slots_[i].phase = Phase::posted;
    slots_[i].since = Clock::now();
    wanted.push_back(i);
  }
  lock.unlock();
  std::vector<std::size_t> refused;
  for (const auto index : wanted)
    if (!post(index)) refused.push_back(index);
  meanwhile();
  lock.lock();
  for (const auto index : refused) {
    slots_[index].phase = Phase::finished;
    slots_[index].result = overdue_check({}, "the plugin has no room for the check: its queue is full", 0);
  }
  wait_for_all(lock, limit);
  std::vector<HealthCheck> results;
  for (auto &slot : slots_)
    results.push_back(outcome(slot));
  return results;
}

// Until each check has finished or used its time up.
void HealthChecks::wait_for_all(std::unique_lock<std::mutex> &lock, std::chrono::milliseconds limit) {
  while (!cancelled_) {
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    for (const auto &slot : slots_)
      if (slot.phase != Phase::finished && slot.since + limit > now) next = std::min(next, slot.since + limit);
    if (next == Clock::time_point::max()) return;
    finished_.wait_until(lock, next);
  }
}

HealthCheck HealthChecks::outcome(Slot &slot) {
  const auto waited = milliseconds(Clock::now() - slot.since);
  HealthCheck result;
  switch (slot.phase) {
  case Phase::finished:
    slot.phase = Phase::idle;
    result = std::exchange(slot.result, {});
    break;
  case Phase::running: result = overdue_check({}, "no answer after " + whole(waited), waited); break;
  case Phase::posted: result = overdue_check({}, "no thread was free for it for " + whole(waited), waited); break;
  case Phase::idle: result = overdue_check({}, "the checks have ended", 0); break;
  }
  slot.is_late = true;
  result.name = slot.check.name;
  return result;
}

void HealthChecks::execute(std::size_t index) {
  Slot &slot = slots_[index];
  std::unique_lock lock(mutex_);
  slot.phase = Phase::running;
  const auto began = slot.since = Clock::now();
  lock.unlock();
  struct Finish { // also when the check ends its thread (pthread_exit in a plugin)
    HealthChecks &checks;
    Slot &slot;
    std::unique_lock<std::mutex> &lock;
    Clock::time_point began;
    HealthCheck result = failed_check({}, "the check ended its thread", "UnexpectedError", {});
    ~Finish() {
      result.latency_ms = milliseconds(Clock::now() - began);
      lock.lock();
      slot.phase = slot.is_late ? Phase::idle : Phase::finished;
      slot.result = std::move(result);
      checks.finished_.notify_all();
    }
  } finish{*this, slot, lock, began};
  finish.result = slot.check.run();
}

void HealthChecks::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  finished_.notify_all();
}

} // namespace trellis
