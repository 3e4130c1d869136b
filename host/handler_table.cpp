// The plugin's handler table against its contract (ARCHITECTURE §4), and what this host can't serve.
#include "abi/abi_values.h"
#include "generation.h"

#include <algorithm>
#include <map>
#include <set>
#include <trellis/plugin.h>

namespace trellis::host {
namespace {

template <class Section>
bool any_in(const std::optional<Section> &section) {
  return section && !section->empty();
}

std::string describe(std::string_view contract_id, std::string_view name) {
  return "rpc \"" + std::string(name) + "\" of " + std::string(contract_id);
}

} // namespace

std::vector<std::string> unserved_surfaces(const Manifest &manifest) {
  const auto &model = manifest.model();
  std::vector<std::string> unserved;
  if (any_in(model.operations)) unserved.emplace_back("operations: no provider is enabled for them");
  if (any_in(model.jobs)) unserved.emplace_back("jobs: no provider is enabled for them");
  if (any_in(model.feeds)) unserved.emplace_back("feeds: this host doesn't serve them");
  if (any_in(model.event_consumers)) unserved.emplace_back("eventConsumers: this host doesn't serve them");
  if (any_in(model.state)) unserved.emplace_back("state: this host doesn't serve it");
  if (model.resources && (any_in(model.resources->kv) || any_in(model.resources->store)))
    unserved.emplace_back("resources: this host's policy can't create them");
  return unserved;
}

std::vector<std::string> table_disagreements(const trellis_plugin &plugin, const std::vector<Manifest> &manifests,
                                             PluginRole role) {
  const bool is_control_plane = role == PluginRole::control_plane;
  std::vector<std::string> problems;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> served; // contract id -> names
  for (std::uint32_t i = 0; i < plugin.handler_count; ++i) {
    const trellis_handler *handler = plugin.handlers ? plugin.handlers[i] : nullptr;
    if (!handler || !TRELLIS_HAS(trellis_handler, handler, name)) {
      problems.push_back("handler " + std::to_string(i) + " is NULL or too small");
      continue;
    }
    const auto contract_id = view(handler->contract_id), name = view(handler->name);
    const auto manifest = std::ranges::find(manifests, contract_id, &Manifest::id);
    if (handler->kind != TRELLIS_SURFACE_RPC)
      problems.push_back("handler \"" + std::string(name) + "\" is of the unknown kind " +
                         std::to_string(handler->kind));
    else if (manifest == manifests.end() || !manifest->rpc(name))
      problems.push_back(describe(contract_id, name) + " has a handler, but the contract doesn't declare it");
    else if (!TRELLIS_HAS(trellis_handler, handler, rpc) || (!handler->rpc && !is_control_plane))
      problems.push_back(describe(contract_id, name) + " has a handler without a function");
    else if (!served[std::string(contract_id)].emplace(name).second)
      problems.push_back(describe(contract_id, name) + " has two handlers");
  }
  for (const auto &manifest : manifests) {
    const auto &names = served[manifest.id()];
    if (is_control_plane && names.empty()) continue;
    if (const auto &rpc = manifest.model().rpc)
      for (const auto &[name, surface] : *rpc)
        if (!names.contains(name))
          problems.push_back(describe(manifest.id(), name) + " is in the contract, but has no handler");
  }
  return problems;
}

std::vector<std::string> unserved_handlers(const trellis_plugin &plugin) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < plugin.handler_count; ++i)
    if (!plugin.handlers[i]->rpc) names.emplace_back(view(plugin.handlers[i]->name));
  std::ranges::sort(names);
  return names;
}

} // namespace trellis::host
