#include "bundle_config.h"
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <string_view>
#include <vector>

namespace trellis::cli {
namespace {

using JsonWriter = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void text(JsonWriter &out, std::string_view value) {
  out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void key(JsonWriter &out, std::string_view name) {
  out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}
void member(JsonWriter &out, std::string_view name, std::string_view value) {
  key(out, name);
  text(out, value);
}
void member(JsonWriter &out, std::string_view name, const std::vector<std::string_view> &values) {
  key(out, name);
  out.StartArray();
  for (const std::string_view value : values)
    text(out, value);
  out.EndArray();
}
template <class Members>
void object(JsonWriter &out, std::string_view name, const Members &members) {
  key(out, name);
  out.StartObject();
  members();
  out.EndObject();
}
template <class Members>
std::string document(const Members &members) {
  rapidjson::StringBuffer buffer;
  JsonWriter out(buffer);
  out.SetIndent(' ', 2);
  out.StartObject();
  members(out);
  out.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

// A double-quoted string that nats-server's configuration and TOML both read the same way.
std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string without_trailing_slash(std::string_view url) {
  return std::string(url.substr(0, url.ends_with('/') ? url.size() - 1 : url.size()));
}
std::string redirect_base(const BundleFacts &facts) {
  return without_trailing_slash(facts.options.public_origin) + "/auth/callback";
}

std::string below_nats(std::string_view path) {
  return std::string(path.substr(std::string_view("nats/").size()));
}

void named(JsonWriter &out, std::string_view name, const NamedKey &value) {
  object(out, name, [&] {
    member(out, "name", value.name);
    member(out, "publicKey", value.public_key);
  });
}

void nats_paths(JsonWriter &out, const BundleFacts &facts) {
  member(out, "natsConfig", "nats.conf");
  member(out, "jwtConfig", "jwt.conf");
  object(out, "accountJwts", [&] {
    member(out, "system", below_nats(bundle_path::account_jwt(facts.system_account)));
    member(out, "auth", below_nats(bundle_path::account_jwt(facts.auth_account)));
    member(out, "trellis", below_nats(bundle_path::account_jwt(facts.trellis_account)));
  });
  object(out, "creds", [&] {
    member(out, "systemService", "creds/system.creds");
    member(out, "authService", "creds/auth-auth.creds");
    member(out, "trellisService", "creds/trellis-auth.creds");
    member(out, "sentinel", "creds/sentinel.creds");
  });
  object(out, "secrets", [&] {
    member(out, "authIssuerSigning", "secrets/auth-issuer-signing.seed");
    member(out, "authTargetSigning", "secrets/auth-target-signing.seed");
    member(out, "authCalloutXKey", "secrets/auth-sx.seed");
  });
  member(out, "authCalloutEnv", "auth-callout.env");
}

void nats_members(JsonWriter &out, const BundleFacts &facts) {
  key(out, "version");
  out.Int(1);
  member(out, "natsBoxImage", "");
  member(out, "operatorName", facts.options.operator_name);
  member(out, "serverName", facts.options.server_name);
  object(out, "accounts", [&] {
    named(out, "system", facts.system_account);
    named(out, "auth", facts.auth_account);
    named(out, "trellis", facts.trellis_account);
  });
  object(out, "users", [&] {
    named(out, "system", facts.system_user);
    named(out, "authService", facts.auth_user);
    named(out, "trellisService", facts.trellis_user);
    named(out, "sentinel", facts.sentinel_user);
  });
  object(out, "paths", [&] { nats_paths(out, facts); });
}

void control_plane_nats(JsonWriter &out, const BundleFacts &facts) {
  member(out, "servers", facts.options.nats_url);
  const auto credentials = [&](std::string_view name, std::string_view file) {
    object(out, name, [&] { member(out, "credsPath", file); });
  };
  credentials("system", "../nats/creds/system.creds");
  credentials("trellis", "../nats/creds/trellis-auth.creds");
  credentials("auth", "../nats/creds/auth-auth.creds");
  member(out, "sentinelCredsPath", "../nats/creds/sentinel.creds");
  object(out, "authCallout", [&] {
    object(out, "issuer", [&] {
      member(out, "nkey", facts.auth_account.public_key);
      member(out, "signingSeedFile", "../nats/secrets/auth-issuer-signing.seed");
    });
    object(out, "target", [&] {
      member(out, "nkey", facts.trellis_account.public_key);
      member(out, "signingSeedFile", "../nats/secrets/auth-target-signing.seed");
    });
    member(out, "sxSeedFile", "../nats/secrets/auth-sx.seed");
  });
}

std::string data_folder(const BundleFacts &facts) {
  return facts.options.native ? (facts.options.dir / "nats" / "data").string() : "/data";
}

} // namespace

std::string bundle_path::account_jwt(const NamedKey &account) {
  return "nats/data/jwt/" + account.public_key + ".jwt";
}

std::string nats_conf(const BundleFacts &facts) {
  const std::string host = facts.options.native ? "127.0.0.1:" : "0.0.0.0:";
  std::string out = "server_name: " + in_quotes(facts.options.server_name) + "\n";
  out += "listen: " + in_quotes(host + std::to_string(facts.nats_port)) + "\n";
  if (facts.options.monitor_port) out += "http: " + in_quotes(host + std::to_string(facts.options.monitor_port)) + "\n";
  if (facts.websocket_port)
    out += "websocket { listen: " + in_quotes(host + std::to_string(facts.websocket_port)) + ", no_tls: true }\n";
  out += "\n# Without sync_interval \"always\" JetStream acknowledges before data is on disk.\n"
         "jetstream { store_dir: " +
         in_quotes(data_folder(facts)) + ", sync_interval: " + in_quotes(facts.options.sync_interval) + " }\n";
  out += "\n# A login through the auth callout includes a database write: 2 s, the default, is too short under load.\n"
         "authorization { timeout: 10 }\n";
  return out + "\ninclude ./jwt.conf\n";
}

std::string jwt_conf(const BundleFacts &facts) {
  return "operator: " + facts.operator_jwt + "\nsystem_account: " + facts.system_account.public_key +
         "\n\nresolver {\n  type: full\n  dir: " + in_quotes(data_folder(facts) + "/jwt") +
         "\n  allow_delete: false\n  interval: \"2m\"\n  limit: 1000\n}\n\nresolver_preload {\n  " +
         facts.system_account.public_key + ": " + facts.system_account_jwt + "\n}\n";
}

std::string callout_env(const BundleFacts &facts) {
  std::string out;
  const auto line = [&](std::string_view name, std::string_view value) {
    out.append(name).append("=").append(value).append("\n");
  };
  line("AUTH_ACCOUNT", facts.auth_account.name);
  line("AUTH_ACCOUNT_PUBLIC_KEY", facts.auth_account.public_key);
  line("TRELLIS_ACCOUNT", facts.trellis_account.name);
  line("TRELLIS_ACCOUNT_PUBLIC_KEY", facts.trellis_account.public_key);
  line("AUTH_USER_PUBLIC_KEY", facts.auth_user.public_key);
  line("TRELLIS_USER_PUBLIC_KEY", facts.trellis_user.public_key);
  line("SENTINEL_USER_PUBLIC_KEY", facts.sentinel_user.public_key);
  line("AUTH_ISSUER_SIGNING_SEED_FILE", "./secrets/auth-issuer-signing.seed");
  line("AUTH_TARGET_SIGNING_SEED_FILE", "./secrets/auth-target-signing.seed");
  line("AUTH_CALLOUT_XKEY_SEED_FILE", "./secrets/auth-sx.seed");
  line("SENTINEL_CREDS_FILE", "./creds/sentinel.creds");
  line("AUTH_SERVICE_CREDS_FILE", "./creds/auth-auth.creds");
  line("TRELLIS_SERVICE_CREDS_FILE", "./creds/trellis-auth.creds");
  return out;
}

std::string control_plane_config(const BundleFacts &facts) {
  const BundleOptions &options = facts.options;
  return document([&](JsonWriter &out) {
    key(out, "port");
    out.Uint(options.trellis_port);
    object(out, "web", [&] {
      member(out, "publicOrigin", options.public_origin);
      member(out, "origins", std::vector<std::string_view>{options.public_origin});
      member(out, "allowInsecureOrigins", std::vector<std::string_view>{options.public_origin});
    });
    object(out, "storage", [&] { member(out, "dbPath", "./data/trellis.sqlite"); });
    object(out, "auth", [&] {
      object(out, "localIdentity", [&] {
        key(out, "enabled");
        out.Bool(true);
      });
    });
    object(out, "nats", [&] { control_plane_nats(out, facts); });
    member(out, "sessionKeySeedFile", "./session.seed");
    object(out, "client", [&] {
      // The control plane needs one entry here, also where there is no websocket listener.
      member(out, "natsServers",
             std::vector<std::string_view>{facts.websocket_port ? options.websocket_url : options.nats_url});
      member(out, "nativeNatsServers", std::vector<std::string_view>{options.nats_url});
    });
    object(out, "oauth", [&] {
      member(out, "redirectBase", redirect_base(facts));
      object(out, "providers", [] {});
    });
  });
}

std::string nats_manifest(const BundleFacts &facts) {
  return document([&](JsonWriter &out) { nats_members(out, facts); });
}

std::string root_manifest(const BundleFacts &facts) {
  return document([&](JsonWriter &out) {
    key(out, "version");
    out.Int(1);
    object(out, "nats", [&] { nats_members(out, facts); });
    object(out, "paths", [&] {
      member(out, "natsManifest", bundle_path::kNatsManifest);
      member(out, "trellisConfig", bundle_path::kTrellisConfig);
      member(out, "sessionSeed", bundle_path::kSessionSeed);
      member(out, "trellisData", bundle_path::kTrellisData);
      member(out, "hostConfig", bundle_path::kHostConfig);
      if (!facts.options.control_plane) member(out, "hostPolicy", bundle_path::kPolicy);
    });
    object(out, "urls", [&] {
      member(out, "publicOrigin", facts.options.public_origin);
      member(out, "natsServer", facts.options.nats_url);
      member(out, "natsWebsocket", facts.options.websocket_url);
      member(out, "oauthRedirectBase", redirect_base(facts));
    });
  });
}

namespace {

std::string static_tables() {
  return "[policy]\nmode = \"static\"\nfile = " + in_quotes(bundle_path::kPolicy) +
         "\n\n# One table for each plugin. `trellis plugin inspect FILE` shows the pin and what the contract asks "
         "for;\n"
         "# its digest has to be accepted in the policy file as well.\n"
         "#\n"
         "# [plugins.echo]\n"
         "# path = \"echo-c.so\"\n"
         "# sha256 = \"64 lower-case hex digits\"\n";
}

std::string control_plane_tables(const ControlPlanePlugin &plugin) {
  return "# The control plane decides: an operator accepts what contracts ask for (trellis plan list).\n"
         "[policy]\nmode = \"plugin\"\n\n"
         "# The control plane itself. Its pin is what this installation trusts: after an upgrade of the file, set it "
         "anew.\n"
         "[plugins.auth]\npath = " +
         in_quotes(plugin.path.string()) + "\nrole = \"control-plane\"\nsha256 = " + in_quotes(plugin.sha256) +
         "\n\n[plugins.auth.connections]\nauth = \"nats/creds/auth-auth.creds\"\n"
         "system = \"nats/creds/system.creds\"\ntrellis = \"nats/creds/trellis-auth.creds\"\nsession_seed = " +
         in_quotes(bundle_path::kSessionSeed) +
         "\n\n[plugins.auth.config]\nfile = " + in_quotes(bundle_path::kTrellisConfig) +
         "\n\n# One table for each service. `trellis plugin inspect FILE` shows the pin and what the contract asks "
         "for.\n"
         "#\n"
         "# [plugins.echo]\n"
         "# path = \"echo-c.so\"\n"
         "# sha256 = \"64 lower-case hex digits\"\n"
         "# deployment = \"echo\"\n";
}

} // namespace

std::string host_toml(const BundleFacts &facts) {
  const auto &control_plane = facts.options.control_plane;
  return "# The host: which plugins run, and who decides what they may do. Paths are relative to this file.\n"
         "[host]\nstate_dir = " +
         in_quotes(bundle_path::kHostState) + "\n\n[nats]\nservers = [" + in_quotes(facts.options.nats_url) + "]\n\n" +
         (control_plane ? control_plane_tables(*control_plane) : static_tables());
}

std::string policy_toml(const BundleFacts &facts) {
  return "# Static policy: which contracts are accepted, and who may call them. `trellis host reload` reads it again.\n"
         "[account]\npublic_key = " +
         in_quotes(facts.trellis_account.public_key) +
         "\nsigning_seed_file = " + in_quotes(bundle_path::kTargetSigningSeed) +
         "\njwt_life_s = 3600\n"
         "\n# One table for each contract that a plugin of this host may have.\n"
         "#\n"
         "# [[accept]]\n"
         "# contract = \"acme.echo@v1\"\n"
         "# digest = \"as shown by trellis plugin inspect\"\n"
         "\n# Who may call: `trellis call --as local ...` signs with callers/local.seed beside this file.\n"
         "[[callers]]\nname = \"local\"\nsession_key = " +
         in_quotes(facts.caller_session_key) +
         "\ncapabilities = []\n\n"
         "# Contract id = rpc names, or [\"*\"] for all of them.\n"
         "[callers.uses]\n"
         "# \"acme.echo@v1\" = [\"Echo.Say\"]\n"
         "# \"acme.inventory@v1\" = [\"*\"]\n";
}

} // namespace trellis::cli
