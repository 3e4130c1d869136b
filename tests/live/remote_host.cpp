#include "remote_host.h"

#include "artifact/artifact.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "host/control_socket.h"
#include "log_lines.h"
#include "policy/session_keys.h"
#include "support/wait_until.h"
#include <csignal>
#include <cstdlib>
#include <rapidjson/document.h>
#include <sstream>
#include <stdexcept>

namespace trellis::test {
namespace {

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + " " + result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

} // namespace

std::vector<std::string> with_shifted_clock(std::chrono::seconds shift, std::vector<std::string> argv) {
  const char *asan = std::getenv("ASAN_OPTIONS"); // a preloaded library comes before ASan's own
  argv.insert(argv.begin(), {"/usr/bin/env", "LD_PRELOAD=" + built("clock_shift.so").string(),
                             "TRELLIS_TEST_CLOCK_SHIFT=" + std::to_string(shift.count()),
                             "ASAN_OPTIONS=" + std::string(asan ? asan : "") + ":verify_asan_link_order=0"});
  return argv;
}

void RemoteHost::set_plugin(const std::string &name, const std::filesystem::path &file, const std::string &lines) {
  plugins_[name] = {file, lines};
}

void RemoteHost::write_config() const {
  std::ostringstream config;
  config << "[host]\nname = \"remote\"\nstate_dir = \"state\"\n[nats]\nservers = [\"" << plane_.nats().url()
         << "\"]\n[policy]\nmode = \"remote\"\nurl = \"" << plane_.url() << "\"\n";
  for (const auto &[name, plugin] : plugins_)
    config << "\n[plugins." << name << "]\npath = \"" << plugin.file.string() << "\"\nsha256 = \""
           << expect(Artifact::open(plugin.file)).sha256_hex() << "\"\n"
           << plugin.lines;
  write_file(dir_ / "trellis.toml", config.str());
}

std::filesystem::path RemoteHost::control_socket() const {
  return dir_ / "state" / host::kControlSocketName;
}

void RemoteHost::start() {
  write_config();
  std::vector<std::string> argv{built("trellis-host").string(), "--config", (dir_ / "trellis.toml").string()};
  if (options_.clock_shift.count() != 0) argv = with_shifted_clock(options_.clock_shift, std::move(argv));
  process_ = std::make_unique<Process>(std::move(argv), dir_ / "host.log");
}

void RemoteHost::reload() {
  write_config();
  const auto answer =
      expect(host::ask_control_socket(control_socket(), R"({"op":"reload"})", std::chrono::seconds(70)));
  if (answer != R"({"ok":true,"settled":true})") throw std::runtime_error("reload: " + answer + "\n" + log());
}

std::optional<int> RemoteHost::stop() {
  process_->signal(SIGTERM);
  return process_->wait();
}

std::string RemoteHost::status() const {
  return expect(host::ask_control_socket(control_socket(), R"({"op":"status"})", std::chrono::seconds(10)));
}

std::string RemoteHost::key_of(const std::string &plugin) const {
  std::string key;
  const auto known = [&] {
    const auto answer = host::ask_control_socket(control_socket(), R"({"op":"keys"})", std::chrono::seconds(10));
    const auto json = answer ? parse_json(*answer) : fail("absent", "", "");
    const auto *keys = json ? find_member(*json, "keys") : nullptr;
    if (!keys || !keys->IsArray()) return false;
    for (const auto &entry : keys->GetArray())
      if (string_member(entry, "plugin") == plugin) key = string_member(entry, "sessionKey");
    return !key.empty();
  };
  if (!wait_until(known)) throw std::runtime_error("the host made no key for " + plugin + ":\n" + log());
  return key;
}

SessionKey RemoteHost::private_key_of(const std::string &plugin) const {
  return expect(session_key_for(dir_ / "state", plugin));
}

void RemoteHost::provision(cli::ControlPlane &admin, const std::string &plugin, const std::string &deployment) const {
  expect(admin.call(
      "Auth.Deployments.Create",
      JsonObjectText().text("kind", "service").text("deploymentId", deployment).json("namespaces", "[]").str()));
  expect(admin.call("Auth.ServiceInstances.Provision",
                    JsonObjectText().text("deploymentId", deployment).text("instanceKey", key_of(plugin)).str()));
}

std::size_t RemoteHost::count_logged(const std::vector<std::string> &texts) const {
  return count_lines(log(), texts);
}

bool RemoteHost::logged(const std::vector<std::string> &texts, std::chrono::milliseconds limit) const {
  return wait_until([&] { return count_logged(texts) > 0; }, limit);
}

} // namespace trellis::test
