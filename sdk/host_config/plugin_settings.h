// [plugins.NAME.config] with its secrets filled in: what the plugin gets as JSON.
//
// A table with the one key `secret_file` or `secret_env` stands for a text that isn't in trellis.toml. It is read when
// the plugin's file is inspected, not when trellis.toml is: the CLI reads that too and needs no secrets, and one
// missing secret is one plugin's trouble. The JSON lies in memory that wipes itself, once for all copies of the
// plugin's configuration; no error shows a value, because any value may be a secret in disguise. Rejected: markers
// inside texts ("${DB_PASSWORD}"), which need escapes and turn up by accident.
#pragma once

#include "contracts/result.h"
#include "contracts/schema.h"
#include "settings/config_tree.h"
#include "wire/secret.h"
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace trellis::host {

inline constexpr std::size_t kMaxSettingsSecret = std::size_t{64} << 10; // bytes of one secret

// The table as it stands in the file.
struct SettingsTable {
  std::shared_ptr<const ConfigNode> table; // nullptr: there is none, which is an empty one
  std::string name;                        // "plugins.NAME.config"
  std::filesystem::path file;              // trellis.toml; `secret_file` is relative to its folder
};

// The first value of `table` that can't be one: nan, inf, or a secret that is none. nullptr: all is well.
const ConfigNode *wrong_setting(const ConfigNode &table);

class PluginSettings {
public:
  // [may block] Errors "secret_missing" (no such file, an unset or empty variable), "secret_exposed" (a file that isn't
  // ours or root's, or that others may use), "secret_invalid" (too large, no text); `where` is file:line.
  static Result<PluginSettings> resolve(const SettingsTable &given);

  const SecretText &json() const { return json_; }
  // Error "config_schema", `where` = file:line; the message has the JSON pointer of what is wrong.
  Result<void> check(const Schema &schema) const;

private:
  using Secrets = std::map<const ConfigNode *, SecretText>;
  PluginSettings(SettingsTable given, Secrets secrets);

  SettingsTable given_;
  Secrets secrets_; // by the table that stands for each
  SecretText json_;
};

} // namespace trellis::host
