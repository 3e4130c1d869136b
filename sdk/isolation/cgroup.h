// Memory, processor and thread limits of one isolated plugin, where control groups (version 2) allow it.
//
// The host needs a group of its own that it may divide: systemd's `Delegate=yes`, or a container that grants it. A
// group with processes in it can't hand controllers on, so the host moves itself into a child of it once, "host", and
// each process of a plugin gets a sibling, "plugin-NAME-PID". Rejected: one for each plugin. During a replacement the
// old and the new process would share its limits, and run out of memory together.
//
// Where this isn't possible the reason is said, and memory falls back to RLIMIT_DATA.
#pragma once

#include "contracts/result.h"
#include <cstddef>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace trellis::isolation {

struct GroupLimits {
  std::size_t memory_mb = 0, cpu_percent = 0, threads = 0; // 0: none
};

// [thread-safe] The folder of the group that this process may divide, made ready. Error "cgroup" with the reason.
// `root`: where version 2 is mounted, and `own`: the text of /proc/self/cgroup; arguments for tests.
Result<std::filesystem::path> divisible_group(const std::filesystem::path &root, std::string_view own, pid_t host);
Result<std::filesystem::path> divisible_group();
// Whether divisible_group would do, changing nothing: for --check. "" when it would, else why not.
std::string why_not_divisible(const std::filesystem::path &root, std::string_view own, pid_t host);
std::string why_not_divisible();

// Puts the process into a group of its own below `parent`. Error "cgroup".
Result<std::filesystem::path> enter_group(const std::filesystem::path &parent, const std::string &name, pid_t process,
                                          const GroupLimits &limits);
// When its processes have ended.
void remove_group(const std::filesystem::path &group);
// How often the kernel ended a process of the group for its memory.
std::size_t times_out_of_memory(const std::filesystem::path &group);

} // namespace trellis::isolation
