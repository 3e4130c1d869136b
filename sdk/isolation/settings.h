// How one isolated plugin is kept: supervision and limits, as [plugins.NAME] has them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace trellis::isolation {

struct IsolationSettings {
  // After a crash: the first pause, doubled with each further crash up to the longest one.
  std::chrono::milliseconds restart_backoff{200}, restart_backoff_max{30'000};
  // So many crashes within the window, and the plugin stays down until the next reload.
  std::size_t crash_loop_limit = 5;
  std::chrono::seconds crash_loop_window{60};
  // A process that doesn't answer for so long is ended; also one whose workers have all been busy for so long beyond
  // their deadlines while requests wait.
  std::chrono::milliseconds hang_timeout{10'000};
  std::chrono::milliseconds start_timeout{60'000}; // for create and for start, each
  std::size_t memory_max_mb = 1024;                // 0: no limit
  std::size_t cpu_max_percent = 0;                 // of one processor; 0: no limit
  std::size_t threads_max = 512;
  std::size_t open_files_max = 1024;
  bool network = true;                 // may open IP sockets of its own; its NATS traffic goes through the host
  std::vector<std::string> read_paths; // further files and folders that it may read
  // What it may make the host keep and write: questions whose answers are still to come, and its log.
  std::size_t questions_max = 4096;
  std::size_t questions_max_mb = 128; // two of the largest payloads
  std::size_t unread_max_mb = 256;    // of what it is sent; then it is ended
  std::size_t log_lines_max = 2000;   // in ten seconds
  std::size_t log_message_max_kb = 8, log_fields_max_kb = 32;
  std::size_t user = 0; // with a root host: the uid to run as; 0: one of its own from uid_base on

  bool operator==(const IsolationSettings &) const = default;
};

} // namespace trellis::isolation
