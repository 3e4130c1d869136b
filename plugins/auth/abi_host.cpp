#include "abi_host.h"

#include "abi_text.h"
#include "contracts/json.h"
#include "secret_file.h"
#include <array>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// What a function of the host yields to a sink.
std::string text_from(trellis_status (*yield)(void *, trellis_sink), void *self) {
  std::string text;
  const trellis_sink sink{&text,
                          [](void *out, trellis_str data) { static_cast<std::string *>(out)->append(view(data)); }};
  yield(self, sink);
  return text;
}

} // namespace

Log host_log(const trellis_host &host, Level least) {
  return [&host, least](Level level, std::string_view message, std::string_view fields) {
    if (level >= least) host.log(host.self, static_cast<std::int32_t>(level), str(message), str(fields));
  };
}

Level level_of(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"trace", "debug", "info", "warn", "error"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Level>(i);
  return Level::info;
}

Result<HostIdentity> host_identity(const trellis_host &host) {
  const auto identity = parse_json(text_from(host.identity, host.self));
  if (!identity) return tl::make_unexpected(identity.error());
  return HostIdentity{std::string(string_member(*identity, "sessionKey")), string_member(*identity, "configDir")};
}

Result<ControlPlaneConfig> host_config(const trellis_host &host, const std::filesystem::path &config_dir) {
  const auto text = text_from(host.config, host.self);
  const auto settings = parse_json(text);
  if (!settings || !settings->IsObject()) return fail("invalid_config", "config", "the settings are no JSON object");
  const auto file = string_member(*settings, "file");
  if (!file.empty()) return load_control_plane_config(config_dir / file);
  return parse_control_plane_config(text, config_dir / "trellis.toml", read_secret_file);
}

Result<AbiTransport> host_connection(const trellis_host &host, std::string_view name) {
  const auto *table =
      static_cast<const trellis_connections_v1 *>(host.get_extension(host.self, str(TRELLIS_EXT_CONNECTIONS)));
  auto *connection = table ? table->find(host.self, str(name)) : nullptr;
  if (!connection)
    return fail("connection_missing", std::string(name), "the host doesn't give this connection",
                "a host where this plugin has role = \"control-plane\"");
  return AbiTransport(*table, connection);
}

void report(trellis_error_sink sink, const Error &error) {
  if (!sink.report) return;
  const auto text = error.text();
  const trellis_error out{sizeof(trellis_error), 0, str(error.code), str(text), {}, {}};
  sink.report(sink.context, &out);
}

} // namespace trellis::auth
