// A throw-away installation for `trellis plugin run`: a bundle in a temporary folder, a NATS server on a free port, and
// a host with static policy in which everything that the given plugins' contracts ask for is accepted.
//
// The host is the real program with real files, so that what works here works in production. Approvals follow the
// files: when a plugin file changes, its pin and its contract's digest are accepted again and the host reloads.
#pragma once

#include "child_process.h"
#include "contracts/result.h"
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

struct SandboxPlugin {
  std::string name;
  std::filesystem::path file;
  std::string config_lines; // of [plugins.NAME.config], TOML
};

class Sandbox {
public:
  // Makes the folder and starts nats-server. Errors: those of make_bundle, "program_missing", "nats_failed".
  static Result<std::unique_ptr<Sandbox>> open();
  ~Sandbox(); // ends both programs, removes the folder

  // Writes trellis.toml and policy.toml for the files as they are now. Errors name the plugin file; nothing is written
  // then.
  Result<void> approve(const std::vector<SandboxPlugin> &plugins);
  Result<void> start_host();
  void reload_host();
  // False when the host has ended.
  bool host_runs();

  const std::filesystem::path &folder() const { return folder_; }
  const std::string &nats_url() const { return nats_url_; }
  std::filesystem::path config_file() const { return folder_ / "bundle" / "trellis.toml"; }

private:
  explicit Sandbox(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<void> make_files();
  Result<void> start_nats();

  std::filesystem::path folder_;
  std::string account_lines_, caller_key_, nats_url_;
  std::optional<ChildProcess> nats_, host_;
};

} // namespace trellis::cli
