// What time it is at a control plane, for those who sign something for it: it refuses proofs that are more than 30 s
// old or early (03 §11.0, 06 §2.1).
#pragma once

#include "session_file.h"
#include <atomic>
#include <cstdint>

namespace trellis::cli {

class ServerClock {
public:
  // [thread-safe] Seconds: by this machine's clock, until learn() has found that it is off.
  std::int64_t now() const;
  // [may block] Asks the control plane of the session. False when that taught nothing: it doesn't answer, or its clock
  // agrees with what now() says.
  bool learn(const LoginSession &session);

private:
  std::atomic<double> offset_ms_{0}; // what this machine's clock lacks
};

} // namespace trellis::cli
