// trellis plugin run: the author's loop. A throw-away installation around plugin files, reloaded when they change.
#include "artifact/artifact.h"
#include "commands.h"
#include "file_watch.h"
#include "sandbox.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ostream>

namespace trellis::cli {
namespace {

using namespace std::chrono_literals;

struct RunOptions {
  std::string file;
  std::vector<std::string> with, set;
};

// Ctrl-C and SIGTERM end the run in order; the handler only leaves a note for the loop.
class Interrupt {
public:
  Interrupt() {
    struct sigaction action {};
    action.sa_handler = [](int) { asked_ = 1; }; // without SA_RESTART: waiting is interrupted
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
  }
  static bool asked() { return asked_ != 0; }

private:
  static inline volatile std::sig_atomic_t asked_ = 0;
};

// The file's name as a plugin name: "build/my.service.so" is "my-service".
std::string plugin_name(const std::filesystem::path &file) {
  auto name = file.stem().string().substr(0, 64);
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c) && c != '-' && c != '_'; }, '-');
  return name.empty() ? "plugin" : name;
}

Result<std::vector<SandboxPlugin>> plugins_of(const RunOptions &options) {
  std::vector<SandboxPlugin> plugins = {{plugin_name(options.file), options.file, {}}};
  for (const auto &setting : options.set) {
    if (setting.find('=') == std::string::npos || setting.find('\n') != std::string::npos)
      return fail("option", "--set " + setting, "no setting", "KEY=VALUE with a TOML value: 'shelves.bolt=5'");
    plugins.front().config_lines += setting + "\n";
  }
  for (const auto &file : options.with)
    plugins.push_back({plugin_name(file), file, {}});
  for (std::size_t i = 0; i < plugins.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (plugins[i].name == plugins[j].name) plugins[i].name += "-" + std::to_string(i + 1);
  return plugins;
}

// One command for each rpc and feed that can be tried now.
void print_calls(const Sandbox &sandbox, const std::string &file, std::ostream &out) {
  const auto artifact = Artifact::open(file);
  if (!artifact) return;
  const auto print = [&](const char *command, const auto &section) {
    if (!section) return;
    for (const auto &[name, surface] : *section)
      out << "  trellis " << command << " " << name << " '{...}' --config " << sandbox.config_file().string() << '\n';
  };
  print("call", artifact->manifest().model().rpc);
  print("feed", artifact->manifest().model().feeds);
  out << std::flush;
}

int watch(Sandbox &sandbox, const std::vector<SandboxPlugin> &plugins, Output &out) {
  std::vector<std::filesystem::path> files;
  for (const auto &plugin : plugins)
    files.push_back(plugin.file);
  auto watched = FileWatch::open(files);
  if (!watched) return out.fail(watched.error());
  while (!Interrupt::asked()) {
    if (!sandbox.host_runs())
      return out.fail(Error{"host_ended", "trellis-host", "it ended; its log above says why", {}, {}});
    if (!watched->wait(500ms)) continue;
    const auto approved = sandbox.approve(plugins);
    if (approved)
      sandbox.reload_host();
    else
      out.err() << "not reloaded, the running copy stays: " << printable(approved.error().text()) << std::endl;
  }
  return 0;
}

int run(const RunOptions &options, Output &out) {
  const auto plugins = plugins_of(options);
  if (!plugins) return out.fail(plugins.error());
  const Interrupt interrupt;
  auto sandbox = Sandbox::open();
  if (!sandbox) return out.fail(sandbox.error());
  if (auto approved = (*sandbox)->approve(*plugins); !approved) return out.fail(approved.error());
  if (auto started = (*sandbox)->start_host(); !started) return out.fail(started.error());
  out.out() << "running in " << (*sandbox)->folder().string()
            << ", reloads when a plugin file changes; Ctrl-C ends it\n";
  print_calls(**sandbox, options.file, out.out());
  return watch(**sandbox, *plugins, out);
}

} // namespace

void add_run_command(Command root) {
  const auto options = std::make_shared<RunOptions>();
  auto command = root.group("plugin", "Plugin files")
                     .command("run", "Run a plugin with a throw-away NATS server and everything it asks for accepted");
  command.argument("FILE", options->file, "plugin.so");
  command.options("--with", options->with, "a plugin that FILE uses, run beside it (repeatable)");
  command.options("--set", options->set, "KEY=VALUE of the plugin's configuration, a TOML value (repeatable)");
  command.action([options](Output &out) { return run(*options, out); });
}

} // namespace trellis::cli
