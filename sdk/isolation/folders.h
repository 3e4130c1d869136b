// Where an isolated plugin may keep files, and the user that it runs as.
//
// With a root host each plugin has a user of its own, recognised by the owner of its folder, so no list of users can
// disagree with what is on the disk. Hosts of one machine that share a range of users (`uid_base`) don't know each
// other: limits and signals, which the kernel counts and allows by user, would reach from one to the other. So a
// plugin's user is looked for from a place on that its folder's path gives, and none that a process runs as now is
// taken. A range for each host is better, and docs/operate.md says so. Such a folder can't lie in the host's state
// folder, which only root may enter: it lies beside it, "<state_dir>.plugins". Without root: below it, and the user is
// the host's.
#pragma once

#include "contracts/result.h"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace trellis::isolation {

struct PluginFolder {
  std::filesystem::path path; // absolute
  std::uint32_t user = 0;     // 0: the host's own
  bool reachable = true;      // false: the user may not enter a folder above it
};

// Makes it when it isn't there. `wanted_user`: 0 for one of its own of the 4096 from `uid_base` on, that no other
// plugin has. Error "isolation_folder".
Result<PluginFolder> plugin_folder(const std::filesystem::path &state_dir, const std::string &plugin,
                                   std::size_t wanted_user, std::size_t uid_base);

} // namespace trellis::isolation
