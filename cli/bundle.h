// The local bundle (10 §4): operator, accounts, users, seeds and configuration of one installation, all made here.
//
// A pure function from options to file contents, so that tests can look at every byte; writing them is one step that
// either happens whole or not at all.
#pragma once

#include "contracts/result.h"
#include "wire/secret.h"
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

// The control plane's plugin file, as an operator pins it.
struct ControlPlanePlugin {
  std::filesystem::path path;
  std::string sha256; // 64 hex digits
};

struct BundleOptions {
  std::filesystem::path dir; // absolute path that the bundle will have
  std::string operator_name = "Trellis";
  std::string system_account = "SYS", auth_account = "AUTH", trellis_account = "TRELLIS";
  std::string server_name = "trellis-local";
  std::uint16_t trellis_port = 3000;
  std::string nats_url = "nats://127.0.0.1:4222";
  std::string websocket_url = "ws://localhost:8080"; // "" = no websocket listener
  std::string public_origin = "http://localhost:3000";
  std::uint16_t monitor_port = 8222; // nats-server's HTTP monitoring; 0 = none
  bool native = true;                // absolute folders under dir, listeners on 127.0.0.1 (else as for a container)
  std::string sync_interval = "always";
  // Who decides what plugins may do: the control plane in the host, or without one a file of the bundle (policy.toml).
  std::optional<ControlPlanePlugin> control_plane;
};

struct BundleFile {
  SecretText content;
  bool secret = false; // 0600; everything else too, but this is never printed
};

struct Bundle {
  std::map<std::string, BundleFile> files; // relative path -> content
  std::vector<std::string> folders;        // empty ones
  std::string manifest_json;               // what --json prints; holds no secret
};

// `now`: Unix seconds for iat. Error "bundle_option", where = the option.
Result<Bundle> make_bundle(const BundleOptions &options, std::int64_t now);

// Writes into a temporary sibling and renames. Files 0600, folders 0700. Errors: "bundle_exists" (not empty and not
// `force`), "bundle_unwritable".
Result<void> write_bundle(const Bundle &bundle, const std::filesystem::path &dir, bool force);

} // namespace trellis::cli
