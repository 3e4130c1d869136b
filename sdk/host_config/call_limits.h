// How much of one plugin's requests may wait or run at a time: keys of [plugins.NAME], kept by the host's calls.
#pragma once

#include <chrono>
#include <cstddef>

namespace trellis::host {

struct CallLimits {
  std::size_t queue = 256;                   // requests that wait for a worker
  std::size_t max_concurrency = 8;           // handlers at a time
  std::chrono::milliseconds deadline{10000}; // from arrival to answer
  std::size_t max_abandoned = 1000;          // calls past their deadline that the plugin still holds
};

} // namespace trellis::host
