#include "config.h"

#include "config_keys.h"
#include "trust.h"
#include <algorithm>
#include <fstream>
#include <iterator>

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
  };
  return keys;
}

const std::vector<Key<Config>> &nats_keys() {
  static const std::vector<Key<Config>> keys{list_key<Config>("servers", &Config::nats_servers, 1,
                                                              "a NATS URL or a list of them", is_server_list,
                                                              "servers to connect to, tried in this order")};
  return keys;
}

const std::vector<Key<PolicyConfig>> &policy_keys() {
  static const std::vector<Key<PolicyConfig>> keys{
      choice_key<PolicyConfig>("mode", &PolicyConfig::mode,
                               Choices<PolicyConfig::Mode>{{"static", PolicyConfig::Mode::static_}},
                               "who decides what plugins may do: `static` = a file"),
      path_key<PolicyConfig>("file", &PolicyConfig::file, "the policy file"),
  };
  return keys;
}

const std::vector<Key<Config>> &trust_keys() {
  static const std::vector<Key<Config>> keys{
      list_key<Config>("signers", &Config::trusted_signers, 0, "minisign public keys (56 characters, \"RW...\")",
                       is_signer, "whose signatures let a plugin run in this process without a pin")};
  return keys;
}

// [plugins.NAME.config] is the plugin's own: any keys.
const ConfigNode *store_plugin_table(PluginConfig &plugin, const ConfigNode &node) {
  if (node.kind != ConfigNode::Kind::table) return &node;
  auto json = to_config_json(node);
  if (!json) return json.error();
  plugin.config_json = std::move(*json);
  return nullptr;
}

const std::vector<Key<PluginConfig>> &plugin_keys() {
  static const std::vector<Key<PluginConfig>> keys{
      path_key<PluginConfig>("path", &PluginConfig::path, "the plugin file (.so)"),
      text_key<PluginConfig>("sha256", &PluginConfig::sha256, "64 lower-case hex digits", is_sha256,
                             "pin: the only file content that may run; without it the file has to be signed"),
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
      {"config", "a table of values that JSON has (no nan, no inf)", "{}",
       "the plugin's own settings, which it gets as a JSON object", false, store_plugin_table},
  };
  return keys;
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
    read_keys(table("policy"), "policy", policy_keys(), config_.policy, problems_);
    read_keys(table("trust"), "trust", trust_keys(), config_, problems_);
    for (const auto &entry : table("plugins").entries)
      read_plugin(entry);
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

  void read_plugin(const ConfigEntry &entry) {
    const auto name = dotted_key("plugins", entry.key);
    if (!is_name(entry.key)) problems_.add(entry.place, "config_value", name + " is no name of a plugin", kNameType);
    if (entry.value.kind != ConfigNode::Kind::table)
      return add_wrong_value(problems_, name, entry.value, "a table [plugins.NAME]");
    auto &plugin = config_.plugins.emplace_back();
    plugin.name = entry.key;
    plugin.where = problems_.where(entry.place);
    read_keys(entry.value, name, plugin_keys(), plugin, problems_);
  }

  inline static const std::vector<std::string> kTables{"host", "nats", "policy", "trust", "plugins"};

  const ConfigNode &root_;
  ConfigNode absent_;
  Config &config_;
  ConfigProblems problems_;
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
  resolve(config.policy.file);
  for (auto &plugin : config.plugins)
    resolve(plugin.path);
}

} // namespace

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
         keys_markdown("[plugins.NAME]", plugin_keys());
}

} // namespace trellis::host
