// A file for each end that nobody wanted: state_dir/crashes/NAME-<time>.txt (0600), the newest few of each plugin.
#pragma once

#include "contracts/result.h"
#include "isolation/crash_area.h"
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::isolation {

inline constexpr std::size_t kReportsKept = 20; // of one plugin

struct CrashReport {
  std::string plugin, program, version, sha256, contract;
  std::int64_t unix_ms = 0;
  std::string cause; // "killed by SIGSEGV at address 0x10"
  std::optional<CrashFacts> facts;
  std::deque<std::string> last_lines; // what the plugin logged and printed, oldest first
};

// "killed by SIGSEGV (address 0x10)", "exited with status 3". `status`: of waitid, as its si_code and si_status.
std::string end_text(int code, int status, const std::optional<CrashFacts> &facts);

// Text of a process that nobody vouches for, so that it can't pass for a line of its own: line ends become "\n", other
// control characters "\x1b".
std::string one_line(std::string_view text);

std::string format_report(const CrashReport &report);
// Writes it and removes the oldest beyond kReportsKept. The file's path. Error "crash_report".
Result<std::filesystem::path> write_report(const std::filesystem::path &folder, const CrashReport &report);

} // namespace trellis::isolation
