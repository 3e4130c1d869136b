// trellis-host: signals and arguments around Host.
#include "control_socket.h"
#include "host.h"
#include "hosting/loader.h"
#include "isolation/child.h"
#include "isolation/child_process.h"
#include "runtime/service_notify.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <malloc.h>
#include <sys/prctl.h>
#include <thread>

namespace {

using namespace trellis;

// SIGHUP reloads, SIGTERM and SIGINT stop; a second one of those ends the process at once.
class Signals {
public:
  // Before any thread starts: all of them inherit the mask.
  Signals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGHUP, SIGTERM, SIGINT})
      ::sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }

  void forward_to(host::Host &host) {
    std::thread([this, &host] {
      for (bool stopping = false;;) {
        int signal = 0;
        ::sigwait(&set_, &signal);
        if (signal == SIGHUP) {
          host.request_reload();
        } else if (stopping) {
          std::_Exit(128 + signal);
        } else {
          stopping = true;
          host.request_stop();
        }
      }
    }).detach(); // ends with the process: the last thing that main does is exit
  }

private:
  sigset_t set_{};
};

int check(const host::Config &config) {
  const auto lines = host::check_config(config);
  if (!lines) {
    std::cerr << "trellis-host: " << lines.error().text() << '\n';
    return 1;
  }
  bool all_ok = true;
  for (const auto &line : *lines) {
    std::cout << line.plugin << ": " << line.text << '\n';
    all_ok = all_ok && line.ok;
  }
  return all_ok ? 0 : 1;
}

void tell(const ServiceNotifier &manager, host::Host::Progress progress, const std::string &status) {
  switch (progress) {
  case host::Host::Progress::reloading: return manager.reloading();
  case host::Host::Progress::ready: return manager.ready(status);
  case host::Host::Progress::stopping: return manager.stopping();
  }
}

int serve(const host::Config &config, Signals &signals) {
  const auto manager = ServiceNotifier::from_environment();
  const Log log(config.log_format, config.log_level);
  auto host = host::Host::open(config, log);
  if (!host) {
    log.error("the host can't start", {{"code", host.error().code}, {"detail", host.error().text()}});
    return 1;
  }
  (*host)->on_progress([&manager](auto progress, const auto &status) { tell(manager, progress, status); });
  const Watchdog watchdog(manager, [&host](auto ping) { (*host)->post(std::move(ping)); });
  signals.forward_to(**host);
  auto actions = host::control_actions(**host);
  actions.connections_max = config.control_connections_max;
  actions.io_limit = config.control_timeout;
  auto control = host::ControlSocket::open(config.state_dir, std::move(actions));
  if (!control) // what the host serves is worth more than being asked about it
    log.warn("no control socket", {{"code", control.error().code}, {"detail", control.error().text()}});
  const bool clean = (*host)->run();
  if (control) control->reset();
  // A handler that never came back still uses what the host owns, and the signal thread still refers to it.
  std::fflush(nullptr);
  std::_Exit(clean ? 0 : 3);
}

// glibc makes eight arenas a core, and threads come and go with every replaced generation: all of them end up holding
// fragments. One a core is as quick (bench host) and stays small.
void bound_arenas() {
  ::mallopt(M_ARENA_MAX, static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2U, 256U)));
}

} // namespace

int main(int argc, char **argv) {
  // Seeds live in this process: no core dumps, no ptrace by others of the same user.
  ::prctl(PR_SET_DUMPABLE, 0);
  bound_arenas();
  if (argc == 3 && std::string_view(argv[1]) == isolation::kChildArgument)
    isolation::run_child(argv[2], [](const trellis_plugin_entry &entry, std::string_view where) -> Result<void> {
      auto good = host::check_entry(entry, where);
      if (!good) return tl::make_unexpected(good.error());
      return {};
    });
  CLI::App app{"Runs service plugins whose contracts are approved. See docs/operate.md."};
  std::string file;
  bool only_check = false;
  app.add_option("--config", file, "trellis.toml")->required();
  app.add_flag("--check", only_check, "say what would happen to each plugin, without loading or connecting anything");
  app.set_version_flag("-V,--version", std::string("trellis-host ") + TRELLIS_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  Signals signals;
  const auto config = host::load_config(file);
  if (!config) {
    std::cerr << "trellis-host: " << config.error().text() << '\n';
    return 1;
  }
  return only_check ? check(*config) : serve(*config, signals);
}
