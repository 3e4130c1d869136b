// The plugin's handler table against its contract (ARCHITECTURE §4), and what a host can't serve.
#pragma once

#include "contracts/manifest.h"
#include "host_config/config.h"
#include <string>
#include <string_view>
#include <trellis/plugin.h>
#include <vector>

namespace trellis::host {

// What a contract asks for that this host can't serve yet, one text each: "operations (no provider)" ... Pure.
std::vector<std::string> unserved_surfaces(const Manifest &manifest);

// The handler table against the contracts: one text for each surface that is missing, undeclared or double. Pure.
// The control plane may leave functions out (it says so in its log), and of its contracts those that have no handler at
// all are served by others. `answered`: rpcs that the host answers when the table leaves them out.
std::vector<std::string> table_disagreements(const trellis_plugin &plugin, const std::vector<Manifest> &manifests,
                                             PluginRole role, const std::vector<std::string> &answered = {});

// What the control plane's contracts declare and its table has no function for, by name. Pure.
std::vector<std::string> unserved_handlers(const trellis_plugin &plugin);

// The rpcs that the host answers when the table leaves them out: <Plugin>.Health, by the plugin's name in trellis.toml
// and by its program's own.
std::vector<std::string> host_answered_rpcs(std::string_view plugin, std::string_view program);

} // namespace trellis::host
