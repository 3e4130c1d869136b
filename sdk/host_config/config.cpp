#include "host_config/config.h"

#include "isolation/isolation_keys.h"
#include "settings/config_keys.h"
#include "wire/ulid.h"
#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

namespace trellis::host {
namespace {

constexpr std::int64_t kHour = 3'600'000; // ms

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// NATS takes several servers separated by commas, so a text may hold several.
bool is_server_list(std::string_view text) {
  const bool printable = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x20; });
  return printable && !text.empty() && !text.starts_with(',') && !text.ends_with(',') &&
         text.find(",,") == std::string_view::npos;
}

bool is_signer(std::string_view text) {
  return parse_signer(text).has_value();
}

bool is_text(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos;
}

// A control plane that is asked over plain HTTP could be anybody; a development one on this machine may be.
bool is_policy_url(std::string_view text) {
  const bool printable = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x20; });
  if (!printable) return false;
  if (text.starts_with("https://")) return text.size() > 8;
  for (const std::string_view local : {"http://localhost", "http://127.0.0.1", "http://[::1]"})
    if (text.starts_with(local) &&
        (text.size() == local.size() || text[local.size()] == ':' || text[local.size()] == '/'))
      return true;
  return false;
}

constexpr auto kNameType = "1 to 64 letters, digits, \"-\" or \"_\"";

const std::vector<Key<Config>> &host_keys() {
  static const std::vector<Key<Config>> keys{
      text_key<Config>("name", &Config::name, kNameType, is_name, "name of this host in logs and to NATS"),
      path_key<Config>("state_dir", &Config::state_dir,
                       "folder for what the host keeps: session keys of plugins, the replay cache"),
      choice_key<Config>("log", &Config::log_format,
                         Choices<Log::Format>{{"json", Log::Format::json}, {"console", Log::Format::console}},
                         "form of the log lines on stderr"),
      choice_key<Config>("log_level", &Config::log_level,
                         Choices<LogLevel>{{"trace", LogLevel::trace},
                                           {"debug", LogLevel::debug},
                                           {"info", LogLevel::info},
                                           {"warn", LogLevel::warn},
                                           {"error", LogLevel::error}},
                         "least level that is logged"),
      number_key<Config>("max_generations", &Config::max_generations, 1, 1000,
                         "how often one plugin may be replaced before reload says that a restart is due"),
      duration_key<Config>("drain_ms", &Config::drain, 0, kHour,
                           "time for answering what is in flight when a plugin stops"),
      duration_key<Config>("connect_retry_max_ms", &Config::connect_retry_max, 100, kHour,
                           "longest pause between two attempts to connect to NATS"),
      duration_key<Config>("start_retry_max_ms", &Config::start_retry_max, 100, kHour,
                           "longest pause before a control plane whose start failed is started again; the first one "
                           "is 1 s, and each is twice the one before"),
      duration_key<Config>("health_interval_ms", &Config::health_interval, 100, kHour,
                           "time between two heartbeats of a plugin; in one, a health check that takes longer, or 5 s, "
                           "has failed"),
      number_key<Config>(
          "isolation_uid_base", &Config::isolation_uid_base, 1000, 0x7FFF'0000,
          "with a host that runs as root: the first of 4096 uids that isolated plugins run as; each host "
          "of a machine needs a range of its own"),
      number_key<Config>("control_connections_max", &Config::control_connections_max, 1, 1000,
                         "connections of the control socket at once (`trellis host`); further ones are closed"),
      duration_key<Config>("control_timeout_ms", &Config::control_timeout, 100, kHour,
                           "time for a peer of the control socket to send its line, and again to take its answer"),
  };
  return keys;
}

const std::vector<Key<Config>> &nats_keys() {
  static const std::vector<Key<Config>> keys{list_key<Config>("servers", &Config::nats_servers, 1,
                                                              "a NATS URL or a list of them", is_server_list,
                                                              "servers to connect to, tried in this order")};
  return keys;
}

// A path that only some files need.
template <class Target, class Access>
Key<Target> optional_path_key(std::string name, Access access, std::string meaning) {
  auto key = path_key<Target>(std::move(name), access, std::move(meaning));
  key.required = false;
  return key;
}

const std::vector<Key<PolicyConfig>> &policy_keys() {
  static const std::vector<Key<PolicyConfig>> keys{
      choice_key<PolicyConfig>("mode", &PolicyConfig::mode,
                               Choices<PolicyConfig::Mode>{{"static", PolicyConfig::Mode::static_},
                                                           {"plugin", PolicyConfig::Mode::plugin},
                                                           {"remote", PolicyConfig::Mode::remote}},
                               "who decides what plugins may do: `static` = a file, `plugin` = the control plane in "
                               "this host, `remote` = one elsewhere"),
      optional_path_key<PolicyConfig>("file", &PolicyConfig::file, "the policy file; required with `static`"),
      text_key<PolicyConfig>("url", &PolicyConfig::url, "an https:// URL, or http:// on this machine", is_policy_url,
                             "where the control plane's HTTP is; required with `remote`"),
      seconds_key<PolicyConfig>("jwt_life_s", &PolicyConfig::remote_jwt_life, 5, 2'592'000,
                                "with `remote`: life of the NATS user JWTs that the control plane issues, in seconds"),
  };
  return keys;
}

const std::vector<Key<ConnectionFiles>> &connection_keys() {
  static const std::vector<Key<ConnectionFiles>> keys{
      path_key<ConnectionFiles>("auth", &ConnectionFiles::auth, "NATS credentials of the AUTH account's user `auth`"),
      path_key<ConnectionFiles>("system", &ConnectionFiles::system,
                                "NATS credentials of the SYS account's user `system`"),
      path_key<ConnectionFiles>("trellis", &ConnectionFiles::trellis,
                                "NATS credentials of the TRELLIS account's user `auth`"),
      path_key<ConnectionFiles>("session_seed", &ConnectionFiles::session_seed,
                                "session seed of the control plane (base64url of 32 bytes)"),
  };
  return keys;
}

struct TrustTable {
  std::vector<std::string> signers;
  bool require_signature = false;
};

const std::vector<Key<TrustTable>> &trust_keys() {
  static const std::vector<Key<TrustTable>> keys{
      list_key<TrustTable>("signers", &TrustTable::signers, 0, "minisign public keys (56 characters, \"RW...\")",
                           is_signer, "whose signatures let a plugin run in this process without a pin"),
      flag_key<TrustTable>("require_signature", &TrustTable::require_signature,
                           "`true`: every plugin has to be signed, a pin alone isn't enough"),
  };
  return keys;
}

// A time of TOML with its offset, as Unix seconds. A local one would mean another moment on another machine.
template <class Access>
Key<TrustedSigner> time_key(std::string name, Access access, std::string meaning) {
  return {std::move(name),
          "a time with an offset (2027-01-31T00:00:00Z)",
          "",
          std::move(meaning),
          false,
          [access](TrustedSigner &signer, const ConfigNode &node) -> const ConfigNode * {
            std::int64_t unix_ms = 0;
            if (node.kind != ConfigNode::Kind::date || !parse_iso_time(node.text, unix_ms)) return &node;
            std::invoke(access, signer) = unix_ms / 1000;
            return nullptr;
          }};
}

const std::vector<Key<TrustedSigner>> &signer_keys() {
  static const std::vector<Key<TrustedSigner>> keys = [] {
    auto key = text_key<TrustedSigner>(
        "key", [](TrustedSigner & signer) -> auto & { return signer.key.text; },
        "a minisign public key (56 characters, \"RW...\")", is_signer, "the key");
    key.required = true;
    return std::vector<Key<TrustedSigner>>{
        std::move(key),
        time_key("not_before", &TrustedSigner::not_before, "before this time nothing that it signed is loaded"),
        time_key("not_after", &TrustedSigner::not_after,
                 "from this time on nothing that it signed is loaded any more; what runs keeps running"),
        flag_key<TrustedSigner>("revoked", &TrustedSigner::revoked,
                                "`true`: the same at once, and the messages say that the key is revoked"),
    };
  }();
  return keys;
}

// [plugins.NAME.config] is the plugin's own: any keys.
const ConfigNode *store_plugin_table(PluginConfig &plugin, const ConfigNode &node) {
  if (const auto *wrong = wrong_setting(node)) return wrong;
  plugin.config.table = std::make_shared<const ConfigNode>(node);
  return nullptr;
}

std::vector<Key<PluginConfig>> own_plugin_keys() {
  return {
      path_key<PluginConfig>("path", &PluginConfig::path, "the plugin file (.so)"),
      text_key<PluginConfig>("sha256", &PluginConfig::sha256, "64 lower-case hex digits", is_sha256,
                             "pin: the only file content that may run; without it the file has to be signed"),
      list_key<PluginConfig>("signers", &PluginConfig::signers, 0, "names of keys in [trust.keys]", is_name,
                             "one of these has to have signed the file, also when it is pinned"),
      choice_key<PluginConfig>(
          "approve", &PluginConfig::approve,
          Choices<Approval>{{"contract", Approval::contract}, {"artifact", Approval::artifact}},
          "what an approval is of: `contract` = any file with the accepted contract, `artifact` = one file by one "
          "signer, so that a changed file asks again; not with policy `remote`"),
      flag_key<PluginConfig>("enabled", &PluginConfig::enabled, "`false` leaves the plugin out"),
      number_key<PluginConfig>(
          "queue", [](PluginConfig & p) -> auto & { return p.limits.queue; }, 1, 65536,
          "requests that wait for a worker; more are answered `trellis.rpc.overloaded`"),
      number_key<PluginConfig>(
          "max_concurrency", [](PluginConfig & p) -> auto & { return p.limits.max_concurrency; }, 1, 1024,
          "handlers of this plugin that run at a time"),
      duration_key<PluginConfig>(
          "deadline_ms", [](PluginConfig & p) -> auto & { return p.limits.deadline; }, 1, kHour,
          "from the arrival of a request to its answer"),
      number_key<PluginConfig>(
          "max_abandoned", [](PluginConfig & p) -> auto & { return p.limits.max_abandoned; }, 1, 1'000'000,
          "calls past their deadline that the plugin may still hold"),
      number_key<PluginConfig>(
          "max_streams", [](PluginConfig & p) -> auto & { return p.feed_limits.max_streams; }, 1, 1'000'000,
          "streams of its feeds that this plugin holds; more subscribers are answered `trellis.feed.too_many_streams`"),
      number_key<PluginConfig>(
          "max_streams_per_caller", [](PluginConfig & p) -> auto & { return p.feed_limits.max_streams_per_caller; }, 1,
          1'000'000, "the same for the open streams of one session key"),
      duration_key<PluginConfig>(
          "stream_check_ms", [](PluginConfig & p) -> auto & { return p.feed_limits.check_interval; }, 1, 30'000,
          "at least this often an event of a stream asks whether somebody receives it"),
      choice_key<PluginConfig>(
          "role", &PluginConfig::role,
          Choices<PluginRole>{{"service", PluginRole::service}, {"control-plane", PluginRole::control_plane}},
          "`control-plane`: the one trust root, loaded first, stopped last, under no policy"),
      text_key<PluginConfig>(
          "deployment", &PluginConfig::deployment, "a deployment id", is_text,
          "with policy `plugin`: the deployment that this plugin is an instance of; NAME when absent"),
      {"config",
       "a table of values that JSON has (no nan, no inf); `{ secret_file = PATH }` and `{ secret_env = NAME }`", "{}",
       "the plugin's own settings, which it gets as a JSON object, with secrets filled in", false, store_plugin_table},
      choice_key<PluginConfig>(
          "isolation", &PluginConfig::isolation,
          Choices<Isolation>{
              {"automatic", Isolation::automatic}, {"none", Isolation::none}, {"process", Isolation::process}},
          "`process`: in a process of its own (docs/isolation.md); `none`: in the host's; `automatic`: in its own when "
          "the file is neither pinned nor signed, or holds Go"),
  };
}

const std::vector<Key<PluginConfig>> &plugin_keys() {
  static const auto all = [] {
    auto keys = own_plugin_keys();
    for (auto &key : isolation::isolation_keys(&PluginConfig::isolation_settings))
      keys.push_back(std::move(key));
    return keys;
  }();
  return all;
}

// ------------------------------------------------------------------------------------------------------------ tables

class Reader {
public:
  Reader(const ConfigNode &root, ConfigPlace end, Config &config)
      : root_(root), config_(config), problems_(config.file.string()) {
    absent_.place = end;
  }

  std::optional<Error> read() {
    for (const auto &entry : root_.entries)
      if (std::ranges::find(kTables, entry.key) == kTables.end()) add_unknown_key(problems_, "", entry, kTables);
    read_keys(table("host"), "host", host_keys(), config_, problems_);
    read_keys(table("nats"), "nats", nats_keys(), config_, problems_);
    const auto &policy = table("policy");
    read_keys(policy, "policy", policy_keys(), config_.policy, problems_);
    read_trust(table("trust"));
    for (const auto &entry : table("plugins").entries)
      read_plugin(entry);
    check_policy(policy);
    return problems_.first();
  }

private:
  // A table that is absent reads like an empty one at the end of the file, so that what it lacks is reported last.
  const ConfigNode &table(const std::string &name) {
    const auto *found = root_.find(name);
    if (found && found->kind == ConfigNode::Kind::table) return *found;
    if (found) add_wrong_value(problems_, name, *found, "a table");
    return absent_;
  }

  void read_trust(const ConfigNode &table) {
    TrustTable trust;
    read_keys(table, "trust", trust_keys(), trust, problems_, {"keys"});
    config_.trust = trust_in(parsed(trust.signers));
    config_.trust.require_signature = trust.require_signature;
    const auto *keys = table.find("keys");
    if (keys && keys->kind != ConfigNode::Kind::table)
      return add_wrong_value(problems_, "trust.keys", *keys, "tables [trust.keys.NAME]");
    if (!keys) return;
    for (const auto &entry : keys->entries)
      read_signer(entry);
  }

  static std::vector<SignerKey> parsed(const std::vector<std::string> &texts) {
    std::vector<SignerKey> out;
    for (const auto &text : texts)
      out.push_back(*parse_signer(text)); // read as valid
    return out;
  }

  void read_signer(const ConfigEntry &entry) {
    const auto name = dotted_key("trust.keys", entry.key);
    if (!is_name(entry.key)) problems_.add(entry.place, "config_value", name + " is no name of a key", kNameType);
    if (entry.value.kind != ConfigNode::Kind::table)
      return add_wrong_value(problems_, name, entry.value, "a table [trust.keys.NAME]");
    TrustedSigner signer;
    signer.name = entry.key;
    read_keys(entry.value, name, signer_keys(), signer, problems_);
    auto key = parse_signer(signer.key.text);
    if (!key) return; // reported
    signer.key = std::move(*key);
    if (signer.not_before && signer.not_after && *signer.not_before >= *signer.not_after)
      problems_.add(entry.place, "config_value", name + " ends before it begins", "not_after later than not_before");
    // Under two names it would be revoked under one of them and good under the other.
    for (const auto &other : config_.trust.signers)
      if (other.key.key == signer.key.key)
        problems_.add(entry.place, "config_value", name + " is the same key as " + other.name, "each key once");
    config_.trust.signers.push_back(std::move(signer));
  }

  // After [trust], which may come later in the file.
  void check_signers(const ConfigNode &table, const std::string &name, const PluginConfig &plugin) {
    std::vector<std::string> known;
    if (const auto *keys = this->table("trust").find("keys"))
      for (const auto &entry : keys->entries)
        known.push_back(entry.key);
    for (const auto &signer : plugin.signers) {
      if (std::ranges::find(known, signer) != known.end()) continue;
      const auto close = closest_name(signer, known);
      problems_.add(table.find("signers")->place, "config_value",
                    name + ".signers: there is no [trust.keys." + signer + "]" +
                        (close.empty() ? "" : ", did you mean " + close + "?"),
                    "names of keys in [trust.keys]");
    }
  }

  void check_approval(const ConfigNode &table, const std::string &name, const PluginConfig &plugin) {
    if (plugin.approve != Approval::artifact) return;
    const auto refuse = [&](const std::string &why, const char *expected) {
      problems_.add(table.find("approve")->place, "config_value", name + ".approve: " + why, expected);
    };
    if (config_.policy.mode == PolicyConfig::Mode::remote)
      refuse("a control plane elsewhere can't see which file this host loads", "`sha256` or `signers` here");
    if (plugin.role == PluginRole::control_plane) refuse("nobody approves the control plane", "`sha256` or `signers`");
  }

  void read_plugin(const ConfigEntry &entry) {
    const auto name = dotted_key("plugins", entry.key);
    if (!is_name(entry.key)) problems_.add(entry.place, "config_value", name + " is no name of a plugin", kNameType);
    if (entry.value.kind != ConfigNode::Kind::table)
      return add_wrong_value(problems_, name, entry.value, "a table [plugins.NAME]");
    auto &plugin = config_.plugins.emplace_back();
    plugin.name = entry.key;
    plugin.where = problems_.where(entry.place);
    read_keys(entry.value, name, plugin_keys(), plugin, problems_, {"connections"});
    if (plugin.deployment.empty()) plugin.deployment = plugin.name;
    plugin.config.name = name + ".config";
    plugin.config.file = config_.file;
    check_signers(entry.value, name, plugin);
    check_approval(entry.value, name, plugin);
    read_connections(entry.value, name, plugin);
  }

  void read_connections(const ConfigNode &table, const std::string &plugin_name, PluginConfig &plugin) {
    const auto name = plugin_name + ".connections";
    const auto *found = table.find("connections");
    if (plugin.role != PluginRole::control_plane) {
      if (found)
        problems_.add(found->place, "config_value", name + " is for the control plane", "role = \"control-plane\"");
      return;
    }
    if (std::exchange(has_control_plane_, true))
      problems_.add(table.place, "config_value", plugin_name + " is a second control plane", "at most one");
    if (!found) return add_missing_key(problems_, table, name, "a table [" + name + "]");
    if (found->kind != ConfigNode::Kind::table) return add_wrong_value(problems_, name, *found, "a table");
    read_keys(*found, name, connection_keys(), plugin.connections.emplace(), problems_);
  }

  // What each mode needs beside its own name.
  void check_policy(const ConfigNode &table) {
    using Mode = PolicyConfig::Mode;
    const auto &policy = config_.policy;
    if (policy.mode == Mode::static_ && policy.file.empty() && !table.find("file"))
      add_missing_key(problems_, table, "policy.file", "a path");
    if (policy.mode == Mode::remote && policy.url.empty() && !table.find("url"))
      add_missing_key(problems_, table, "policy.url", "an https:// URL");
    if (const auto *file = table.find("file"); file && policy.mode != Mode::static_)
      problems_.add(file->place, "config_value", "policy.file is for mode \"static\"", "no such key");
    if (const auto *url = table.find("url"); url && policy.mode != Mode::remote)
      problems_.add(url->place, "config_value", "policy.url is for mode \"remote\"", "no such key");
    if (const auto *mode = table.find("mode"); mode && policy.mode == Mode::plugin && !has_control_plane_)
      problems_.add(mode->place, "config_value", "policy.mode is \"plugin\", but no plugin is the control plane",
                    "a plugin with role = \"control-plane\"");
  }

  inline static const std::vector<std::string> kTables{"host", "nats", "policy", "trust", "plugins"};

  const ConfigNode &root_;
  ConfigNode absent_;
  Config &config_;
  ConfigProblems problems_;
  bool has_control_plane_ = false;
};

std::vector<std::string> split_servers(const std::vector<std::string> &texts) {
  std::vector<std::string> servers;
  for (std::string_view text : texts) {
    for (auto comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
      servers.emplace_back(text.substr(0, comma));
      text.remove_prefix(comma + 1);
    }
    servers.emplace_back(text);
  }
  return servers;
}

ConfigPlace end_of(std::string_view text) {
  return {static_cast<std::uint32_t>(std::ranges::count(text, '\n')) + 1, 1};
}

void resolve_paths(Config &config) {
  const auto folder = config.file.parent_path();
  const auto resolve = [&folder](std::filesystem::path &path) { path = (folder / path).lexically_normal(); };
  resolve(config.state_dir);
  if (!config.policy.file.empty()) resolve(config.policy.file);
  for (auto &plugin : config.plugins) {
    resolve(plugin.path);
    if (!plugin.connections) continue;
    for (auto *path : {&plugin.connections->auth, &plugin.connections->system, &plugin.connections->trellis,
                       &plugin.connections->session_seed})
      resolve(*path);
  }
}

} // namespace

const std::string &PluginConfig::config_json() const {
  static const std::string empty = "{}";
  return settings ? settings->json().reveal() : empty;
}

const PluginConfig *Config::control_plane() const {
  const auto found = std::ranges::find(plugins, PluginRole::control_plane, &PluginConfig::role);
  return found == plugins.end() ? nullptr : &*found;
}

Result<Config> parse_config(std::string_view text, const std::filesystem::path &file) {
  const auto root = parse_config_tree(text, file.string());
  if (!root) return tl::make_unexpected(root.error());
  Config config;
  config.file = file;
  if (auto problem = Reader(*root, end_of(text), config).read()) return tl::make_unexpected(std::move(*problem));
  config.nats_servers = split_servers(config.nats_servers);
  resolve_paths(config);
  return config;
}

Result<Config> load_config(const std::filesystem::path &file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail("config_unreadable", file.string(), "the configuration file can't be read", "a readable file");
  std::string text(kMaxConfigBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail("config_unreadable", file.string(), "reading the configuration file failed");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse_config(text, file);
}

std::string config_markdown() {
  return keys_markdown("[host]", host_keys()) + keys_markdown("[nats]", nats_keys()) +
         keys_markdown("[policy]", policy_keys()) + keys_markdown("[trust]", trust_keys()) +
         keys_markdown("[trust.keys.NAME]", signer_keys()) + keys_markdown("[plugins.NAME]", plugin_keys()) +
         keys_markdown("[plugins.NAME.connections]", connection_keys());
}

} // namespace trellis::host
