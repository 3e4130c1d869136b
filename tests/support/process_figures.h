// What a process holds: for tests that say how much it grows.
#pragma once

#include <cstddef>
#include <sys/types.h>

namespace trellis::test {

struct ProcessFigures {
  std::size_t rss_kb = 0;
  std::size_t mappings = 0;
  std::size_t threads = 0;
  std::size_t descriptors = 0;
};

// Throws std::runtime_error when the process has ended.
ProcessFigures figures_of_process(pid_t pid);

} // namespace trellis::test
