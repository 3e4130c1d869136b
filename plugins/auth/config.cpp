#include "config.h"

#include "config_origins.h"
#include "config_reader.h"
#include "jsonc.h"
#include "secret_file.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <rapidjson/document.h>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::auth {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxSecretBytes = std::size_t{64} << 10;

void read_web(const ConfigReader &web, ControlPlaneConfig &out) {
  web.only({"origins", "publicOrigin", "allowInsecureOrigins"});
  out.origins = canonical_locations(web.texts("origins").value_or(std::vector<std::string>{"*"}));
  if (std::find(out.origins.begin(), out.origins.end(), "*") != out.origins.end()) out.origins = {"*"};
  out.allow_insecure_origins =
      canonical_locations(web.texts("allowInsecureOrigins").value_or(std::vector<std::string>{}));
  if (const auto location = web.optional_text("publicOrigin")) out.public_origin = canonical_location(*location);
}

void read_times(const ConfigReader &ttl, ControlPlaneConfig &out) {
  out.ttl_ms.sessions = ttl.number("sessions", out.ttl_ms.sessions);
  out.ttl_ms.oauth = ttl.number("oauth", out.ttl_ms.oauth);
  out.ttl_ms.device_flow = ttl.number("deviceFlow", out.ttl_ms.device_flow);
  out.ttl_ms.pending_auth = ttl.number("pendingAuth", out.ttl_ms.pending_auth);
  out.ttl_ms.connections = ttl.number("connections", out.ttl_ms.connections);
  out.ttl_ms.nats_jwt = ttl.number("natsJwt", out.ttl_ms.nats_jwt);
}

void read_nats(const ConfigReader &nats, ControlPlaneConfig &out) {
  out.nats_servers = nats.text("servers");
  out.replicas = nats.object("jetstream").integer("replicas", 1);
  out.trellis_creds = nats.object("trellis", true).path("credsPath");
  out.auth_creds = nats.object("auth", true).path("credsPath");
  out.system_creds = nats.object("system", true).path("credsPath");
  out.sentinel_creds = nats.path("sentinelCredsPath");
  const auto callout = nats.object("authCallout", true);
  const auto issuer = callout.object("issuer", true);
  const auto target = callout.object("target", true);
  out.issuer_nkey = issuer.text("nkey");
  out.issuer_signing = issuer.secret("signing", "signingSeedFile");
  out.target_nkey = target.text("nkey");
  out.target_signing = target.secret("signing", "signingSeedFile");
  out.xkey_seed = callout.secret("sxSeed", "sxSeedFile");
}

void check_websocket(const ConfigReader &client, const ControlPlaneConfig &config) {
  if (client.has("natsServers") && config.client_servers.empty())
    client.complain("natsServers", "empty", "at least one server");
  for (std::size_t i = 0; i < config.client_servers.size(); ++i) {
    const auto key = "natsServers[" + std::to_string(i) + "]";
    const auto url = parse_url(config.client_servers[i]);
    if (!url) {
      client.complain(key, "not a URL", "a URL such as wss://nats.example/");
    } else if (url->scheme == "ws" && !may_be_insecure(*url, config.allow_insecure_origins)) {
      client.complain(key, "not encrypted", "wss, a loopback host, or its origin in web.allowInsecureOrigins");
    }
  }
}

void read_client(const ConfigReader &client, ControlPlaneConfig &out) {
  if (const auto servers = client.texts("natsServers")) {
    out.client_servers = *servers;
  } else {
    client.complain("natsServers", "missing", "a list of servers");
  }
  out.client_native_servers = client.texts("nativeNatsServers");
  if (out.client_native_servers && out.client_native_servers->empty())
    client.complain("nativeNatsServers", "empty", "at least one server");
  check_websocket(client, out);
}

void require_url(const ConfigReader &reader, std::string_view name, std::string_view text) {
  if (!text.empty() && parse_url(text)) return;
  reader.complain(name, "not a URL", "a URL");
}

void read_logout(const ConfigReader &logout, ProviderConfig &out) {
  out.logout_given = true;
  out.logout_enabled = logout.flag("enabled", false);
  out.logout_endpoint = logout.optional_text("endpoint");
  if (out.logout_endpoint) require_url(logout, "endpoint", *out.logout_endpoint);
  out.logout_mode = logout.text("mode", "oidc");
  if (out.logout_mode != "oidc" && out.logout_mode != "auth0") logout.complain("mode", "unknown", "oidc or auth0");
  out.logout_allow_federated = logout.flag("allowFederated", false);
}

void read_oidc(const ConfigReader &reader, ProviderConfig &out) {
  out.issuer = reader.text("issuer");
  require_url(reader, "issuer", out.issuer);
  if (const auto scopes = reader.texts("scopes")) out.scopes = *scopes;
  out.organization = reader.optional_text("organization");
  if (out.organization && out.organization->empty()) reader.complain("organization", "empty", "a name, or no member");
  if (reader.has("logout")) read_logout(reader.object("logout"), out);
}

ProviderConfig read_provider(const std::string &id, const ConfigReader &reader) {
  ProviderConfig out;
  out.id = id;
  out.type = reader.text("type");
  if (out.type != "github" && out.type != "oidc") reader.complain("type", "unknown", "github or oidc");
  out.client_id = reader.text("clientId");
  out.client_secret = reader.secret("clientSecret", "clientSecretFile");
  out.display_name = reader.text("displayName", out.type == "github" ? "GitHub" : id);
  if (out.type == "oidc") read_oidc(reader, out);
  return out;
}

void read_oauth(const ConfigReader &oauth, ControlPlaneConfig &out) {
  out.redirect_base = canonical_location(oauth.text("redirectBase"));
  out.always_show_chooser = oauth.flag("alwaysShowProviderChooser", false);
  for (const auto &[id, reader] : oauth.object("providers", true).objects())
    out.providers.push_back(read_provider(id, reader));
}

void check_location(const ConfigReader &root, std::string_view key, const std::string &text,
                    const ControlPlaneConfig &config) {
  const auto url = parse_url(text);
  if (!url) {
    root.complain(key, "not a URL", "an https URL");
  } else if (url->scheme != "https" &&
             !(url->scheme == "http" && may_be_insecure(*url, config.allow_insecure_origins))) {
    root.complain(key, "not encrypted", "https, or http of a loopback host or an origin in web.allowInsecureOrigins");
  }
}

// 04 §20.3.
void cross_check(const ConfigReader &root, const ControlPlaneConfig &config) {
  if (config.public_origin) check_location(root, "web.publicOrigin", *config.public_origin, config);
  check_location(root, "oauth.redirectBase", config.redirect_base, config);
  if (!config.local_identity && config.providers.empty())
    root.complain("auth.localIdentity.enabled", "nobody could sign in", "local identity, or a provider");
}

void read_all(const ConfigReader &root, ControlPlaneConfig &out) {
  out.log_level = root.text("logLevel", out.log_level);
  out.port = root.number("port", out.port);
  out.instance_name = root.text("instanceName", out.instance_name);
  read_web(root.object("web"), out);
  const auto rate = root.object("httpRateLimit");
  out.rate_window_ms = rate.number("windowMs", out.rate_window_ms);
  out.rate_max = rate.number("max", out.rate_max);
  out.db_path = root.object("storage").path("dbPath", out.db_path.native());
  const auto local = root.object("auth").object("localIdentity");
  out.local_identity = local.flag("enabled", true);
  out.password_min_length = local.object("passwordPolicy").integer("minLength", 8).value_or(out.password_min_length);
  read_times(root.object("ttlMs"), out);
  read_nats(root.object("nats", true), out);
  out.session_seed = root.secret("sessionKeySeed", "sessionKeySeedFile");
  read_client(root.object("client", true), out);
  read_oauth(root.object("oauth", true), out);
  read_limits(root.object("limits"), out.limits);
  read_retention(root.object("retention"), out.retention);
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string system_reason() {
  return std::strerror(errno);
}

Result<std::string> read_whole(int fd, const std::filesystem::path &file, std::size_t limit) {
  std::string out(limit + 1, '\0');
  std::size_t size = 0;
  while (size < out.size()) {
    const auto got = ::read(fd, out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("unreadable", file.string(), system_reason(), "a readable file");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > limit) return fail("too_large", file.string(), "too large", "at most " + std::to_string(limit) + " bytes");
  out.resize(size);
  return out;
}

} // namespace

// The mode is checked on the opened file: a check of the path could be of another file.
Result<SecretText> read_secret_file(const std::filesystem::path &file) {
  const Descriptor opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat facts {};
  if (opened.fd < 0 || ::fstat(opened.fd, &facts) != 0)
    return fail("unreadable", file.string(), file.string() + ": " + system_reason(), "a readable file");
  if (!S_ISREG(facts.st_mode)) return fail("unreadable", file.string(), file.string() + " is no file", "a file");
  if ((facts.st_mode & 077) != 0)
    return fail("secret_file_mode", file.string(), file.string() + " can be read or changed by others", "mode 0600");
  auto content = read_whole(opened.fd, file, kMaxSecretBytes);
  if (!content) return tl::make_unexpected(content.error());
  return SecretText(std::move(*content));
}

Result<ControlPlaneConfig> parse_control_plane_config(std::string_view jsonc, const std::filesystem::path &config_path,
                                                      const ReadFile &read_file) {
  const auto document = parse_jsonc(jsonc);
  if (!document) return tl::make_unexpected(document.error());
  const ConfigReader root(*document, config_path.parent_path(), read_file);
  ControlPlaneConfig out;
  read_all(root, out);
  cross_check(root, out);
  if (root.problem()) return tl::make_unexpected(*root.problem());
  return out;
}

Result<ControlPlaneConfig> load_control_plane_config(const std::filesystem::path &file) {
  const Descriptor opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (opened.fd < 0) return fail("invalid_config", file.string(), system_reason(), "a readable file");
  const auto text = read_whole(opened.fd, file, kMaxConfigBytes);
  if (!text) return fail("invalid_config", file.string(), text.error().message, text.error().expected);
  auto config = parse_control_plane_config(*text, std::filesystem::absolute(file), read_secret_file);
  if (!config) config.error().where = file.string() + ": " + config.error().where;
  return config;
}

std::vector<std::string> ControlPlaneConfig::native_servers() const {
  if (client_native_servers) return *client_native_servers;
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= nats_servers.size();) {
    const auto end = std::min(nats_servers.find(',', at), nats_servers.size());
    const auto from = nats_servers.find_first_not_of(" \t\r\n", at);
    const auto last = nats_servers.find_last_not_of(" \t\r\n", end == 0 ? 0 : end - 1);
    if (from < end && last != std::string::npos && last >= from)
      out.push_back(nats_servers.substr(from, last - from + 1));
    at = end + 1;
  }
  return out;
}

std::string ControlPlaneConfig::browser_origin() const {
  return origin_of(public_origin ? *public_origin : redirect_base);
}

} // namespace trellis::auth
