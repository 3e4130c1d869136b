#include "abi/health_table.h"

#include "abi/abi_values.h"
#include "contracts/json_write.h"
#include <algorithm>

namespace trellis {
namespace {

constexpr std::string_view kHostsOwnCheck = "nats"; // 06 §8.1

// "" or what is wrong with its name.
std::string name_problem(const HealthTable &table, trellis_str name) {
  if (!is_text(name) || name.size == 0) return "has no name";
  if (name.size > kMaxHealthCheckName) return "has a name of " + std::to_string(name.size) + " bytes";
  if (!is_utf8(view(name))) return "has a name that isn't UTF-8";
  const auto quoted = "\"" + std::string(view(name)) + "\"";
  if (view(name) == kHostsOwnCheck) return "is named " + quoted + ", as the host's own";
  if (std::ranges::find(table.checks, view(name), &HealthTable::Check::name) != table.checks.end())
    return "is the second one named " + quoted;
  return {};
}

// "" or what is wrong with it.
std::string check_problem(const HealthTable &table, const trellis_health_check *check) {
  if (!check) return "is NULL";
  if (!TRELLIS_HAS(trellis_health_check, check, check))
    return "has a struct of " + std::to_string(check->size) + " bytes";
  if (!check->check) return "has no function";
  return name_problem(table, check->name);
}

const trellis_health_v1 *offered(const trellis_plugin &plugin) {
  if (!TRELLIS_HAS(trellis_plugin, &plugin, get_extension) || !plugin.get_extension) return nullptr;
  return static_cast<const trellis_health_v1 *>(plugin.get_extension(plugin.self, str(TRELLIS_EXT_HEALTH)));
}

} // namespace

Result<HealthTable> read_health_table(const trellis_plugin &plugin, std::string_view plugin_name) {
  HealthTable table;
  const auto malformed = [&](const std::string &what, std::string expected) {
    return fail("health_malformed", std::string(plugin_name), "the plugin's trellis.health/1: " + what,
                std::move(expected));
  };
  const auto *health = offered(plugin);
  if (!health) return table;
  if (!TRELLIS_HAS(trellis_health_v1, health, checks))
    return malformed("a struct of " + std::to_string(health->size) + " bytes", "one that covers `checks`");
  if (health->check_count > kMaxHealthChecks || (health->check_count > 0 && !health->checks))
    return malformed(std::to_string(health->check_count) + " checks" + (health->checks ? "" : " at NULL"),
                     std::to_string(kMaxHealthChecks) + " at most");
  for (std::uint32_t i = 0; i < health->check_count; ++i) {
    const auto *check = health->checks[i];
    if (const auto problem = check_problem(table, check); !problem.empty())
      return malformed("check " + std::to_string(i) + " " + problem,
                       "a function and a name of its own, of 1 to " + std::to_string(kMaxHealthCheckName) + " bytes");
    table.checks.push_back({std::string(view(check->name)), check->check});
  }
  if (TRELLIS_HAS(trellis_health_v1, health, info)) table.info = health->info;
  return table;
}

} // namespace trellis
