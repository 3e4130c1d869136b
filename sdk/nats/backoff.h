// How long to wait before the next attempt to connect: doubling up to a maximum, with jitter so that many clients of a
// restarted server don't come back in step. Pure: the caller brings the random number.
#pragma once

#include <algorithm>
#include <chrono>

namespace trellis {

// `failures` attempts in a row have failed; `random` is in [0, 1). Between half of the full delay and all of it.
inline std::chrono::milliseconds backoff_delay(int failures, std::chrono::milliseconds min,
                                               std::chrono::milliseconds max, double random) {
  const int doublings = std::clamp(failures - 1, 0, 30);
  const double full = std::min(static_cast<double>(min.count()) * static_cast<double>(1u << doublings),
                               static_cast<double>(max.count()));
  return std::chrono::milliseconds(static_cast<std::int64_t>(full * (0.5 + 0.5 * random)));
}

} // namespace trellis
