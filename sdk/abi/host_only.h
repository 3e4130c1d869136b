// Extensions that only the plugin which trellis.toml names for a role may offer (ARCHITECTURE §6). Another one that
// offers them isn't what its table says, and doesn't run.
#pragma once

#include <array>
#include <string_view>
#include <trellis/control_plane.h>

namespace trellis {

inline constexpr std::array<std::string_view, 3> kHostOnlyExtensions = {TRELLIS_EXT_POLICY, TRELLIS_EXT_VALIDATOR,
                                                                        "trellis.surface/1"};

// The first of them that `plugin` offers, "" for none.
std::string_view host_only_offered(const trellis_plugin &plugin);

} // namespace trellis
