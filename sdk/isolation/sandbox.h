// What an isolated plugin's process gives up before any code of the plugin runs, in this order: resource limits,
// capabilities and user, the right to gain new ones, the file system (Landlock), system calls (seccomp).
//
// Each part stands for itself: a kernel without one of them still has the others, and what is missing is said. The
// filter lists what is forbidden, because plugins are written in languages whose runtimes want different things:
// processes, other processes, mounts, namespaces, kernel interfaces, and sockets other than IP. Rejected: an allow-list
// (it breaks with the next libc), libseccomp (a dependency for two screens of table), a container runtime.
#pragma once

#include "contracts/result.h"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace trellis::isolation {

struct SandboxPlan {
  std::uint32_t uid = 0, gid = 0;      // to become; 0: stays as it is
  std::size_t open_files = 1024;       //
  std::size_t threads = 512;           // RLIMIT_NPROC; only with a uid of its own, because it counts by user
  std::size_t data_bytes = 0;          // RLIMIT_DATA; 0: none
  bool network = true;                 // IP sockets
  std::string data_dir;                // may be read and written; "" for none
  std::vector<std::string> read_paths; // may be read, beside the system's libraries and settings

  bool shares_user() const { return uid == 0; } // the host's: modes and owners of files keep it from nothing
};

// [one thread, before any other thread exists] Applies it to this process for good. Errors: "sandbox" when a part that
// the kernel has can't be applied. The result: what this kernel doesn't have, for people.
Result<std::vector<std::string>> enter_sandbox(const SandboxPlan &plan);

// Whether this program was built with a sanitizer that needs more address space than a limit would leave, and that
// looks for leaks at the end with a process of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// 0: this kernel has no Landlock.
int landlock_version();

// The parts.
Result<void> restrict_files(const SandboxPlan &plan);        // Landlock
Result<void> restrict_system_calls(const SandboxPlan &plan); // seccomp

// Which of the paths that every isolated plugin may read, or of `read_paths`, `path` lies at or below; "" for none.
std::string readable_path_above(const std::filesystem::path &path, const std::vector<std::string> &read_paths);

} // namespace trellis::isolation
