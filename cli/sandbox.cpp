#include "sandbox.h"

#include "artifact/artifact.h"
#include "bundle.h"
#include "event_stream.h"
#include "file_watch.h"
#include "file_write.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <rapidjson/document.h>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::chrono::seconds kNatsStart{15};

std::string read_file(const fs::path &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<void> write_file(const fs::path &path, const std::string &text) {
  return replace_file(path, as_bytes(text), 0600);
}

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// The lines of policy.toml's [account] that name the account and its signing key.
std::string account_lines(const std::string &policy) {
  std::istringstream lines(policy);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("public_key") || line.starts_with("signing_seed_file")) out += line + "\n";
  return out;
}

// The first URL that nats-server's ports file lists for its clients, "" when it isn't there yet.
std::string client_url(const fs::path &folder) {
  for (const auto &entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".ports") continue;
    const auto ports = parse_json(read_file(entry.path()));
    if (!ports) return {};
    const auto *urls = find_member(*ports, "nats");
    if (urls && urls->IsArray() && !urls->Empty()) return std::string(text_of((*urls)[0]));
  }
  return {};
}

// Every capability that a contract's rpcs and feeds require.
void add_capabilities(const Manifest &manifest, std::set<std::string> &capabilities) {
  const auto add = [&](const auto &required) {
    if (required) capabilities.insert(required->begin(), required->end());
  };
  if (const auto &rpc = manifest.model().rpc)
    for (const auto &[name, surface] : *rpc)
      add(surface.call);
  if (const auto &feeds = manifest.model().feeds)
    for (const auto &[name, surface] : *feeds)
      add(surface.subscribe);
}

} // namespace

Result<std::unique_ptr<Sandbox>> Sandbox::open() {
  std::string name = (fs::temp_directory_path() / "trellis-run-XXXXXX").string();
  if (!::mkdtemp(name.data())) return fail("sandbox_unwritable", name, "no temporary folder can be made");
  std::unique_ptr<Sandbox> sandbox(new Sandbox(name));
  // A host that is root runs isolated plugins as users of their own, whose data folders are below this one: they may
  // pass it, but not list it. The folders with keys and messages in it stay root's.
  if (::geteuid() == 0 && ::chmod(name.c_str(), 0711) != 0)
    return fail("sandbox_unwritable", name, "its mode can't be changed");
  if (::mkdir((sandbox->folder_ / "jetstream").c_str(), 0700) != 0)
    return fail("sandbox_unwritable", name, "no folder can be made in it");
  if (auto made = sandbox->make_files(); !made) return tl::make_unexpected(made.error());
  if (auto started = sandbox->start_nats(); !started) return tl::make_unexpected(started.error());
  const auto credentials = sandbox->folder_ / "bundle/nats/creds/trellis-auth.creds";
  if (auto made = make_event_stream({sandbox->nats_url_}, credentials); !made) return tl::make_unexpected(made.error());
  return sandbox;
}

Sandbox::~Sandbox() {
  if (host_) host_->end(15s);
  if (nats_) nats_->end(5s);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Result<void> Sandbox::make_files() {
  BundleOptions options;
  options.dir = folder_ / "bundle";
  options.websocket_url.clear();
  auto made = make_bundle(options, unix_ms_now() / 1000);
  if (!made) return tl::make_unexpected(made.error());
  if (auto written = write_bundle(*made, options.dir, false); !written) return written;
  account_lines_ = account_lines(read_file(options.dir / "policy.toml"));
  auto key = SessionKey::from_seed(read_file(options.dir / "callers/local.seed"));
  if (!key) return tl::make_unexpected(key.error());
  caller_key_ = key->text();
  // The bundle's server with a port that the system picks.
  const auto quoted = toml_quoted(folder_.string());
  return write_file(options.dir / "nats/run.conf",
                    "listen: \"127.0.0.1:-1\"\nports_file_dir: " + quoted +
                        "\njetstream { store_dir: " + toml_quoted((folder_ / "jetstream").string()) +
                        ", sync_interval: always }\ninclude ./jwt.conf\n");
}

Result<void> Sandbox::start_nats() {
  const auto program = find_program("nats-server");
  if (!program) return tl::make_unexpected(program.error());
  const auto log = folder_ / "nats.log";
  auto started = ChildProcess::start({program->string(), "-c", (folder_ / "bundle/nats/run.conf").string()}, log);
  if (!started) return tl::make_unexpected(started.error());
  nats_.emplace(std::move(*started));
  // The ports file tells its port. Watched before the first look, so that no event can be missed.
  auto ports =
      FileWatch::open({folder_ / (program->filename().string() + "_" + std::to_string(nats_->pid()) + ".ports")});
  if (!ports) return tl::make_unexpected(ports.error());
  const auto deadline = std::chrono::steady_clock::now() + kNatsStart;
  for (bool more = true; more; more = ports->wait_written(deadline, nats_->ended_fd()))
    if (nats_url_ = client_url(folder_); !nats_url_.empty()) break;
  if (nats_url_.empty())
    return fail("nats_failed", "nats-server", "it didn't start: " + read_file(log), "version 2.10 or later");
  return {};
}

Result<void> Sandbox::approve(const std::vector<SandboxPlugin> &plugins) {
  std::ostringstream config, policy, uses;
  std::set<std::string> capabilities;
  config << "[host]\nname = \"run\"\nstate_dir = " << toml_quoted((folder_ / "state").string())
         << "\nlog = \"console\"\nmax_generations = 1000\n[nats]\nservers = [" << toml_quoted(nats_url_)
         << "]\n[policy]\nmode = \"static\"\nfile = \"policy.toml\"\n";
  policy << "[account]\n" << account_lines_;
  for (const auto &plugin : plugins) {
    auto artifact = Artifact::open(plugin.file);
    if (!artifact) return tl::make_unexpected(artifact.error());
    const auto &manifest = artifact->manifest();
    config << "\n[plugins." << plugin.name << "]\npath = " << toml_quoted(fs::absolute(plugin.file).string())
           << "\nsha256 = \"" << artifact->sha256_hex() << "\"\n";
    if (!plugin.config_lines.empty()) config << "[plugins." << plugin.name << ".config]\n" << plugin.config_lines;
    policy << "\n[[accept]]\ncontract = " << toml_quoted(manifest.id()) << "\ndigest = \"" << manifest.digest()
           << "\"\n";
    uses << toml_quoted(manifest.id()) << " = [\"*\"]\n";
    add_capabilities(manifest, capabilities);
  }
  policy << "\n[[callers]]\nname = \"local\"\nsession_key = \"" << caller_key_ << "\"\ncapabilities = [";
  for (const auto &capability : capabilities)
    policy << toml_quoted(capability) << ", ";
  policy << "]\n[callers.uses]\n" << uses.str();
  if (auto written = write_file(folder_ / "bundle/policy.toml", policy.str()); !written) return written;
  return write_file(config_file(), config.str());
}

Result<void> Sandbox::start_host() {
  const auto program = find_program("trellis-host", "host");
  if (!program) return tl::make_unexpected(program.error());
  auto started = ChildProcess::start({program->string(), "--config", config_file().string()}, {});
  if (!started) return tl::make_unexpected(started.error());
  host_.emplace(std::move(*started));
  return {};
}

void Sandbox::reload_host() {
  if (host_) host_->signal(SIGHUP);
}

bool Sandbox::host_runs() {
  return host_ && host_->running();
}

} // namespace trellis::cli
