// Which capabilities a grant of capabilities and groups amounts to (02 §14.2).
#include "contracts/authority_plan.h"

#include <algorithm>

namespace trellis {
namespace {

constexpr std::string_view kAdmin = "admin"; // the capability, and the built-in group

const GroupContent &builtin_group() {
  static const GroupContent kGroup = {admin_group_capabilities(), {}};
  return kGroup;
}

// The built-in group can't be shadowed by a stored one.
const GroupContent *find_group(const Groups &groups, std::string_view key) {
  if (key == kAdmin) return &builtin_group();
  const auto found = groups.find(key);
  return found == groups.end() ? nullptr : &found->second;
}

} // namespace

const std::vector<std::string> &admin_group_capabilities() {
  static const std::vector<std::string> kCapabilities = {"admin",
                                                         "trellis.auth::device.review",
                                                         "trellis.auth::events.auth",
                                                         "trellis.jobs::admin.read",
                                                         "trellis.jobs::admin.mutate",
                                                         "trellis.jobs::admin.stream",
                                                         "trellis.core::catalog.read",
                                                         "trellis.core::contract.read"};
  return kCapabilities;
}

std::vector<std::string> resolve_capabilities(const std::vector<std::string> &direct,
                                              const std::vector<std::string> &group_keys, const Groups &groups) {
  std::set<std::string, std::less<>> result(direct.begin(), direct.end());
  std::vector<std::string_view> waiting(group_keys.begin(), group_keys.end());
  if (result.contains(kAdmin)) waiting.push_back(kAdmin);
  std::set<std::string_view> visited;
  while (!waiting.empty()) {
    const auto key = waiting.back();
    waiting.pop_back();
    const auto *group = visited.insert(key).second ? find_group(groups, key) : nullptr;
    if (!group) continue;
    result.insert(group->capabilities.begin(), group->capabilities.end());
    waiting.insert(waiting.end(), group->included_groups.begin(), group->included_groups.end());
  }
  return {result.begin(), result.end()};
}

} // namespace trellis
