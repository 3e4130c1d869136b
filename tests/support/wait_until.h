// Waits for a condition that other threads or processes bring about, with a deadline.
//
// It polls, because conditions of tests are arbitrary code without an event to wait on; the nap between two looks only
// bounds the processor time, the result never depends on its length.
#pragma once

#include <chrono>
#include <thread>

namespace trellis::test {

// True as soon as `condition()` holds, false when it still doesn't after `limit`.
template <class Condition>
bool wait_until(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

} // namespace trellis::test
