// What the control plane asks of its host: log lines, its settings, who it is, its connections.
#pragma once

#include "abi_transport.h"
#include "core.h"
#include <filesystem>
#include <string>
#include <string_view>
#include <trellis/control_plane.h>

namespace trellis::auth {

// Structured lines through the host; `host` outlives the function. Lines below `least` are left out.
Log host_log(const trellis_host &host, Level least = Level::trace);
// "trace" ... "error" of the configuration's logLevel; info for anything else.
Level level_of(std::string_view name);

struct HostIdentity {
  std::string session_key;
  std::filesystem::path config_dir;
};
Result<HostIdentity> host_identity(const trellis_host &host);

// [plugins.NAME.config]: `file` = a config.jsonc, relative to the folder of trellis.toml, or the keys themselves.
Result<ControlPlaneConfig> host_config(const trellis_host &host, const std::filesystem::path &config_dir);

// "auth", "system" or "trellis". Error "connection_missing".
Result<AbiTransport> host_connection(const trellis_host &host, std::string_view name);

// Reports `error` to the host.
void report(trellis_error_sink sink, const Error &error);

} // namespace trellis::auth
