// The control plane's configuration (04 §20): one typed value, from a config.jsonc or from [plugins.NAME.config].
#pragma once

#include "config_limits.h"
#include "contracts/json.h"
#include "contracts/result.h"
#include "wire/secret.h"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

struct ProviderConfig {
  std::string id, type; // "github" | "oidc"
  std::string client_id, display_name;
  SecretText client_secret;
  std::string issuer; // oidc, as the rest
  std::vector<std::string> scopes = {"openid", "profile", "email"};
  std::optional<std::string> organization;
  bool logout_given = false, logout_enabled = false, logout_allow_federated = false; // given: the file has `logout`
  std::optional<std::string> logout_endpoint;
  std::string logout_mode = "oidc"; // | "auth0"
};

struct ControlPlaneConfig {
  std::string log_level = "info";
  double port = 3000; // checked to be a port when the listener opens
  std::string instance_name = "Trellis";
  std::vector<std::string> origins = {"*"}; // web.origins, canonical
  std::optional<std::string> public_origin;
  std::vector<std::string> allow_insecure_origins;
  double rate_window_ms = 60000, rate_max = 60; // httpRateLimit
  std::filesystem::path db_path = "/var/lib/trellis/trellis.sqlite";
  bool local_identity = true;
  std::int64_t password_min_length = 12;
  struct {
    double sessions = 86400000, oauth = 300000, device_flow = 1800000, pending_auth = 300000, connections = 7200000,
           nats_jwt = 3600000;
  } ttl_ms;
  std::string nats_servers;
  std::optional<std::int64_t> replicas; // nats.jetstream.replicas
  std::filesystem::path trellis_creds, auth_creds, system_creds, sentinel_creds;
  std::string issuer_nkey, target_nkey; // account public keys
  SecretText issuer_signing, target_signing, xkey_seed, session_seed;
  std::vector<std::string> client_servers;                       // client.natsServers: websocket
  std::optional<std::vector<std::string>> client_native_servers; // client.nativeNatsServers
  std::string redirect_base;                                     // oauth.redirectBase
  bool always_show_chooser = false;
  std::vector<ProviderConfig> providers; // in file order

  Limits limits; // ours, not in 04; in both forms, as is the next
  Retention retention;

  // 04 §5.2: `native` and `websocket` lists.
  std::vector<std::string> native_servers() const;
  std::string browser_origin() const; // origin of web.publicOrigin, else of oauth.redirectBase
};

// `read_file`: for secret files; the real one refuses files that others may read ("secret_file_mode").
using ReadFile = std::function<Result<SecretText>(const std::filesystem::path &)>;
// Error "invalid_config", where = the key ("web.origins[0]"), or "line:column" for text that is no JSONC.
Result<ControlPlaneConfig> parse_control_plane_config(std::string_view jsonc, const std::filesystem::path &config_path,
                                                      const ReadFile &read_file);
Result<ControlPlaneConfig> load_control_plane_config(const std::filesystem::path &file);
// The form that the http-config vectors compare: effective, defaults filled in.
std::string control_plane_config_json(const ControlPlaneConfig &config);

} // namespace trellis::auth
