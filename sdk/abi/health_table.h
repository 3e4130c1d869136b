// The table of trellis.health/1 that a plugin offers, read as far as its sizes cover it, and checked before use.
//
// Names are what heartbeats, metrics and logs tell checks apart by, so each is short, a text, and there once; "nats" is
// the host's own check. A table that breaks this is refused as a whole: leaving a check out would report a plugin as
// healthier than it says.
#pragma once

#include "contracts/result.h"
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <trellis/plugin.h>
#include <vector>

namespace trellis {

inline constexpr std::uint32_t kMaxHealthChecks = 64;  // of one plugin
inline constexpr std::size_t kMaxHealthCheckName = 96; // bytes

struct HealthTable {
  struct Check {
    std::string name;
    decltype(trellis_health_check::check) run = nullptr;
  };
  std::vector<Check> checks;
  decltype(trellis_health_v1::info) info = nullptr; // or not offered
};

// Empty when the plugin offers none. Error "health_malformed" says which check; `where` = `plugin_name`.
Result<HealthTable> read_health_table(const trellis_plugin &plugin, std::string_view plugin_name);

} // namespace trellis
