// What a client makes of `serverNow` (03 §7.4): how far its clock is off, and the `iat` that the server will find
// fresh.
#pragma once

#include <cmath>
#include <cstdint>

namespace trellis {

// Milliseconds to add to the own clock: the server's time was taken in the middle of the exchange. Halves are kept.
inline double clock_offset_ms(std::int64_t sent_ms, std::int64_t received_ms, std::int64_t server_now_seconds) {
  const double middle = (static_cast<double>(sent_ms) + static_cast<double>(received_ms)) / 2;
  return static_cast<double>(server_now_seconds) * 1000 - middle;
}

inline std::int64_t corrected_iat(std::int64_t now_ms, double offset_ms) {
  return static_cast<std::int64_t>(std::floor((static_cast<double>(now_ms) + offset_ms) / 1000));
}

} // namespace trellis
