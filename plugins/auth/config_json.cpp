// The effective configuration as JSON, for comparing and for people; holds secrets, so it is never logged.
#include "config.h"

#include "contracts/canonical.h"
#include "contracts/json_write.h"

namespace trellis::auth {
namespace {

std::string number(double value) {
  return ecmascript_number(value);
}

std::string web_json(const ControlPlaneConfig &config) {
  JsonObjectText out;
  out.texts("origins", config.origins);
  if (config.public_origin) out.text("publicOrigin", *config.public_origin);
  return out.texts("allowInsecureOrigins", config.allow_insecure_origins).str();
}

std::string local_identity_json(const ControlPlaneConfig &config) {
  return JsonObjectText()
      .flag("enabled", config.local_identity)
      .json("passwordPolicy", JsonObjectText().number("minLength", config.password_min_length).str())
      .str();
}

std::string times_json(const ControlPlaneConfig &config) {
  return JsonObjectText()
      .json("sessions", number(config.ttl_ms.sessions))
      .json("oauth", number(config.ttl_ms.oauth))
      .json("deviceFlow", number(config.ttl_ms.device_flow))
      .json("pendingAuth", number(config.ttl_ms.pending_auth))
      .json("connections", number(config.ttl_ms.connections))
      .json("natsJwt", number(config.ttl_ms.nats_jwt))
      .str();
}

std::string creds_json(const std::filesystem::path &path) {
  return JsonObjectText().text("credsPath", path.native()).str();
}

std::string signer_json(const std::string &nkey, const SecretText &signing) {
  return JsonObjectText().text("nkey", nkey).text("signing", signing.reveal()).str();
}

std::string nats_json(const ControlPlaneConfig &config) {
  JsonObjectText jetstream;
  if (config.replicas) jetstream.number("replicas", *config.replicas);
  const auto callout = JsonObjectText()
                           .json("issuer", signer_json(config.issuer_nkey, config.issuer_signing))
                           .json("target", signer_json(config.target_nkey, config.target_signing))
                           .text("sxSeed", config.xkey_seed.reveal())
                           .str();
  return JsonObjectText()
      .text("servers", config.nats_servers)
      .json("jetstream", jetstream.str())
      .json("trellis", creds_json(config.trellis_creds))
      .json("auth", creds_json(config.auth_creds))
      .json("system", creds_json(config.system_creds))
      .text("sentinelCredsPath", config.sentinel_creds.native())
      .json("authCallout", callout)
      .str();
}

std::string client_json(const ControlPlaneConfig &config) {
  JsonObjectText out;
  out.texts("natsServers", config.client_servers);
  if (config.client_native_servers) out.texts("nativeNatsServers", *config.client_native_servers);
  return out.str();
}

std::string logout_json(const ProviderConfig &provider) {
  JsonObjectText out;
  out.flag("enabled", provider.logout_enabled);
  if (provider.logout_endpoint) out.text("endpoint", *provider.logout_endpoint);
  return out.text("mode", provider.logout_mode).flag("allowFederated", provider.logout_allow_federated).str();
}

std::string provider_json(const ProviderConfig &provider) {
  JsonObjectText out;
  out.text("type", provider.type).text("clientId", provider.client_id);
  out.text("clientSecret", provider.client_secret.reveal()).text("displayName", provider.display_name);
  if (provider.type != "oidc") return out.str();
  out.text("issuer", provider.issuer).texts("scopes", provider.scopes);
  if (provider.organization) out.text("organization", *provider.organization);
  if (provider.logout_given) out.json("logout", logout_json(provider));
  return out.str();
}

std::string oauth_json(const ControlPlaneConfig &config) {
  JsonObjectText providers;
  for (const auto &provider : config.providers)
    providers.json(provider.id, provider_json(provider));
  return JsonObjectText()
      .text("redirectBase", config.redirect_base)
      .flag("alwaysShowProviderChooser", config.always_show_chooser)
      .json("providers", providers.str())
      .str();
}

} // namespace

std::string control_plane_config_json(const ControlPlaneConfig &config) {
  const auto rate =
      JsonObjectText().json("windowMs", number(config.rate_window_ms)).json("max", number(config.rate_max)).str();
  return JsonObjectText()
      .text("logLevel", config.log_level)
      .json("port", number(config.port))
      .text("instanceName", config.instance_name)
      .json("web", web_json(config))
      .json("httpRateLimit", rate)
      .json("storage", JsonObjectText().text("dbPath", config.db_path.native()).str())
      .json("auth", JsonObjectText().json("localIdentity", local_identity_json(config)).str())
      .json("ttlMs", times_json(config))
      .json("nats", nats_json(config))
      .text("sessionKeySeed", config.session_seed.reveal())
      .json("client", client_json(config))
      .json("oauth", oauth_json(config))
      .str();
}

} // namespace trellis::auth
