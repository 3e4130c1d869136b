// A second host for one test: a process, a state folder and a trellis.toml of its own, whose plugins another host's
// control plane decides about (policy "remote"). It shares nothing with that host but NATS and HTTP.
#pragma once

#include "live_control_plane.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::test {

// A program whose CLOCK_REALTIME is ahead (tests/plugins/clock_shift.c).
std::vector<std::string> with_shifted_clock(std::chrono::seconds shift, std::vector<std::string> argv);

class RemoteHost {
public:
  struct Options {
    std::chrono::seconds clock_shift{0}; // how far its clock is ahead of everybody else's
  };
  // `plane` outlives it; it need not run yet.
  explicit RemoteHost(LiveControlPlane &plane) : RemoteHost(plane, Options{}) {}
  RemoteHost(LiveControlPlane &plane, const Options &options) : plane_(plane), options_(options) {}

  // In trellis.toml from the next start() or reload() on.
  void set_plugin(const std::string &name, const std::filesystem::path &file, const std::string &lines = "");
  void start();  // without waiting
  void reload(); // and waits until every plugin has come to rest
  std::optional<int> stop();

  // The control socket's answer.
  std::string status() const;
  // The public key of a plugin, once the host has made it.
  std::string key_of(const std::string &plugin) const;
  // The key itself, from the host's own file.
  SessionKey private_key_of(const std::string &plugin) const;
  // What the administrator does for a plugin of a host elsewhere: its deployment, and its key as an instance of that.
  void provision(cli::ControlPlane &admin, const std::string &plugin, const std::string &deployment) const;

  std::string log() const { return read_file(dir_ / "host.log"); }
  bool logged(const std::vector<std::string> &texts, std::chrono::milliseconds limit = std::chrono::seconds(30)) const;
  std::size_t count_logged(const std::vector<std::string> &texts) const;

private:
  struct Plugin {
    std::filesystem::path file;
    std::string lines;
  };
  void write_config() const;
  std::filesystem::path control_socket() const;

  LiveControlPlane &plane_;
  const Options options_;
  TempDir dir_;
  std::map<std::string, Plugin> plugins_;
  std::unique_ptr<Process> process_;
};

} // namespace trellis::test
