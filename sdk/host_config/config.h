// trellis.toml: what the operator decides. Parsed into plain values; every mistake names file:line and the key.
//
// Unknown keys are errors with a suggestion, because a misspelt limit that is silently ignored is worse than a host
// that doesn't start. Relative paths are relative to the file.
#pragma once

#include "artifact/trust.h"
#include "contracts/result.h"
#include "host_config/call_limits.h"
#include "host_config/plugin_settings.h"
#include "isolation/settings.h"
#include "log/log.h"
#include "runtime/feed_streams.h"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::host {

// [plugins.NAME.connections]: files that hold the privileged credentials of the control plane (03 §2.4).
struct ConnectionFiles {
  std::filesystem::path auth, system, trellis; // NATS credentials
  std::filesystem::path session_seed;          // the control plane's own session key
};

enum class PluginRole { service, control_plane };

// Where a plugin's code runs. automatic: in a process of its own when nobody vouches for the file, and for Go.
enum class Isolation { automatic, none, process };
// What an approval is of: a contract, whatever file has it, or one file by one signer (ARCHITECTURE §3).
enum class Approval { contract, artifact };

struct PluginConfig {
  std::string name; // [plugins.NAME]: letters, digits, "-" and "_", at most 64
  std::filesystem::path path;
  std::string sha256; // pin: 64 lower-case hex digits, or "" when not pinned
  bool enabled = true;
  std::vector<std::string> signers; // names in [trust.keys] of which one must have signed; empty: any
  Approval approve = Approval::contract;
  CallLimits limits;                              // queue, max_concurrency, deadline_ms, max_abandoned
  FeedLimits feed_limits;                         // max_streams, max_streams_per_caller, stream_check_ms
  SettingsTable config;                           // [plugins.NAME.config] as it stands in the file
  std::shared_ptr<const PluginSettings> settings; // that with its secrets; set once the plugin is inspected
  std::string signer;                             // who signed the file (RW...); set then as well
  std::string where;                              // file:line of the table, for messages
  PluginRole role = PluginRole::service;
  std::optional<ConnectionFiles> connections; // exactly with the role of the control plane
  std::string deployment;                     // whose instance a service is; never empty after reading
  Isolation isolation = Isolation::automatic; // decided once the file is known
  isolation::IsolationSettings isolation_settings;

  // What the plugin gets as its configuration: a JSON object, "{}" before it is inspected. Holds secrets.
  const std::string &config_json() const;
};

struct PolicyConfig {
  // A file, the control plane in this host, or one elsewhere.
  enum class Mode { static_, plugin, remote } mode = Mode::static_;
  std::filesystem::path file;                 // of mode "static"
  std::string url;                            // of mode "remote": where the control plane's HTTP is
  std::chrono::seconds remote_jwt_life{3600}; // of mode "remote": life of the user JWTs that it issues
};

struct Config {
  std::filesystem::path file;
  std::string name = "trellis-host"; // [host]
  std::filesystem::path state_dir;
  Log::Format log_format = Log::Format::json;
  LogLevel log_level = LogLevel::info;
  std::size_t max_generations = 8;
  std::chrono::milliseconds drain{10000}; // for answering what is in flight when a plugin stops
  std::chrono::milliseconds connect_retry_max{5000};
  std::chrono::milliseconds start_retry_max{30'000}; // between attempts to start a control plane
  std::chrono::milliseconds health_interval{30'000}; // between heartbeats of a plugin
  std::size_t isolation_uid_base = 90'000;
  std::size_t control_connections_max = 16;          // of the control socket, at once
  std::chrono::milliseconds control_timeout{10'000}; // for a peer of it to send its line, and to take its answer
  std::vector<std::string> nats_servers;             // [nats]
  PolicyConfig policy;
  TrustRules trust;                  // [trust], [trust.keys]
  std::vector<PluginConfig> plugins; // in file order

  // The plugin with the role, or nullptr.
  const PluginConfig *control_plane() const;
};

// Errors: "config_unreadable", "config_too_large", "config_syntax", "config_unknown_key", "config_value",
// "config_missing"; `where` is "file:line", and the message names the key. Of several mistakes the first in the file.
Result<Config> load_config(const std::filesystem::path &file);
// The same for a text; `file` is what messages name and what relative paths are relative to.
Result<Config> parse_config(std::string_view text, const std::filesystem::path &file);

// Every key, table by table, as docs/config.md has it.
std::string config_markdown();

} // namespace trellis::host
