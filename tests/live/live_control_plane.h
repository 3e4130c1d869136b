// An installation with its own control plane for one test: bundle, nats-server with the auth callout, trellis-host with
// the auth plugin and other plugins, and people who sign in over HTTP as a browser would.
#pragma once

#include "cli/control_plane.h"
#include "live_host.h"
#include "log_lines.h"
#include "nats/nats_transport.h"
#include "runtime/rpc_client.h"
#include "support/nats_server.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::test {

class LiveControlPlane {
public:
  struct Options {
    std::chrono::milliseconds jwt_life{3600000};
    std::string auth_lines = {}; // further lines of [plugins.auth]
    std::string host_lines = {}; // further lines of [host]
  };
  LiveControlPlane() : LiveControlPlane(Options{}) {}
  explicit LiveControlPlane(const Options &options);

  static constexpr char kPassword[] = "correct horse battery";

  // In trellis.toml from the next launch() or reload on.
  void set_plugin(const std::string &name, const std::filesystem::path &file, const std::string &lines = "");
  void remove_plugin(const std::string &name) { plugins_.erase(name); }

  void write_config() const;
  void launch();             // without waiting
  void start();              // and waits until HTTP is served
  std::optional<int> stop(); // SIGTERM; exit status
  void kill();               // SIGKILL

  std::string bootstrap_link() const; // as logged for the first administrator
  // The first administrator sets the password that the bootstrap link is for.
  void set_admin_password();
  // A participant with this contract (JSON manifest), signed in and approved as the administrator.
  cli::LoginSession sign_in(const std::string &contract);
  // The same with the CLI's contract, connected.
  std::unique_ptr<cli::ControlPlane> sign_in_operator();
  // A login page that waits for somebody: the flow's id.
  std::string start_flow(const SessionKey &key, const std::string &contract);
  // One POST of the login form: the HTTP status.
  int log_in(const std::string &flow_id, const std::string &username, const std::string &password);
  // Connects a session as a client library would; with `jwt_life` it connects a successor before its JWT expires.
  std::unique_ptr<Caller> connect(const cli::LoginSession &session, std::optional<std::chrono::seconds> jwt_life = {});

  // Waits for the plan that a plugin's bootstrap left, and accepts it.
  void accept_plan(cli::ControlPlane &plane, const std::string &deployment);

  NatsServer &nats() { return *nats_; }
  NatsLoop &loop() { return *loop_; }
  Process &process() { return *process_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::filesystem::path bundle() const { return dir_ / "bundle"; }
  std::filesystem::path database() const { return bundle() / "trellis/data/trellis.sqlite"; }
  std::filesystem::path control_socket() const;

  std::string log() const { return read_file(dir_ / "host.log"); }
  bool logged(const std::vector<std::string> &texts, std::chrono::milliseconds limit = std::chrono::seconds(30)) const;
  std::size_t count_logged(const std::vector<std::string> &texts) const;
  std::size_t line_of(const std::vector<std::string> &texts) const; // of the first such line; 0 when there is none

private:
  struct Plugin {
    std::filesystem::path file;
    std::string lines;
  };
  TempDir dir_;
  ShownOnFailure shown_{dir_ / "host.log"};
  std::uint16_t port_;
  std::map<std::string, Plugin> plugins_;
  std::string host_config_; // as the bundle has it
  std::unique_ptr<NatsServer> nats_;
  std::unique_ptr<NatsLoop> loop_; // of the callers
  std::unique_ptr<Process> process_;
};

// An agent contract that calls `rpc` of `contract`.
std::string caller_contract(const std::string &id, const std::string &contract, const std::vector<std::string> &rpc);

} // namespace trellis::test
