#include "abi/host_only.h"

#include "abi/abi_values.h"

namespace trellis {

std::string_view host_only_offered(const trellis_plugin &plugin) {
  if (!TRELLIS_HAS(trellis_plugin, &plugin, get_extension) || !plugin.get_extension) return {};
  for (const auto id : kHostOnlyExtensions)
    if (plugin.get_extension(plugin.self, str(id))) return id;
  return {};
}

} // namespace trellis
