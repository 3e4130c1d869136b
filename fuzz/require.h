// A property that a fuzz target checks: false ends the process, which is how libFuzzer keeps the input.
#pragma once

#include <cstdlib>

namespace trellis::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

} // namespace trellis::fuzz
