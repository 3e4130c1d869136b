#include "host_slot.h"

#include "artifact/elf_testing.h"
#include "tests/support/without_threads.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::host;
using namespace trellis::testing;
using namespace std::chrono_literals;
using trellis::test::outcome_without_threads;

namespace {

struct Seen {
  Phase phase = Phase::disabled;
  std::string detail;
};

// A host with one plugin, whose file doesn't exist, in a folder that any user may use.
struct SmallHost {
  explicit SmallHost(const std::filesystem::path &folder) {
    Config config;
    config.state_dir = folder / "state";
    config.policy.mode = PolicyConfig::Mode::plugin;
    auto &plugin = config.plugins.emplace_back();
    plugin.name = plugin.deployment = "shop";
    plugin.path = folder / "shop.so";
    auto opened = Host::open(std::move(config), log);
    if (opened) host = std::move(*opened);
  }
  // Once the message before it has had its consequences.
  void look(Seen &into, std::function<void()> then = {}) {
    host->post([this, &into, then] {
      host->request_status([&into, then](const HostStatus &status) {
        into = {status.plugins.at(0).phase, status.plugins.at(0).detail};
        if (then) then();
      });
    });
  }
  const Log log{Log::Format::json, LogLevel::error};
  std::unique_ptr<Host> host;
};

} // namespace

TEST_CASE("a reload replaces a plugin whose limits changed, those of its feeds as well") {
  const PluginConfig running;
  CHECK(same_plugin(running, running));
  const auto replaced = [&](auto change) {
    auto wanted = running;
    change(wanted);
    return !same_plugin(running, wanted);
  };
  CHECK(replaced([](auto &plugin) { plugin.limits.queue = 1; }));
  CHECK(replaced([](auto &plugin) { plugin.limits.deadline = 1ms; }));
  CHECK(replaced([](auto &plugin) { plugin.feed_limits.max_streams = 1; }));
  CHECK(replaced([](auto &plugin) { plugin.feed_limits.max_streams_per_caller = 1; }));
  CHECK(replaced([](auto &plugin) { plugin.feed_limits.check_interval = 1ms; }));
  CHECK(replaced([](auto &plugin) { plugin.isolation_settings.network = false; }));
}

TEST_CASE("a reload says which keys of the host it doesn't take") {
  const Config running;
  auto wanted = running;
  wanted.max_generations = 1;
  wanted.drain = 1ms;
  wanted.start_retry_max = 1ms;
  wanted.trust.require_signature = true;
  CHECK(needs_restart(running, wanted).empty());
  wanted.log_level = LogLevel::debug;
  wanted.log_format = Log::Format::console;
  wanted.connect_retry_max = 1ms;
  wanted.health_interval = 1ms;
  wanted.isolation_uid_base = 1;
  wanted.control_connections_max = 1;
  wanted.control_timeout = 1ms;
  wanted.policy.remote_jwt_life = 1s;
  CHECK(needs_restart(running, wanted) ==
        std::vector<std::string>{"host.log", "host.log_level", "host.connect_retry_max_ms", "host.health_interval_ms",
                                 "host.isolation_uid_base", "host.control_connections_max", "host.control_timeout_ms",
                                 "policy.jwt_life_s"});
}

TEST_CASE("a plugin that the system has no thread for waits for one, and the host goes on") {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
  CHECK(outcome_without_threads([&](const auto &no_threads, const auto &threads_again) {
          SmallHost small(folder.path());
          if (!small.host) return 3;
          Seen without, with;
          no_threads();
          small.look(without, threads_again);
          small.host->on_progress([&](auto progress, const auto &) {
            if (progress != Host::Progress::ready) return;
            small.host->request_status([&](const HostStatus &status) {
              with = {status.plugins.at(0).phase, status.plugins.at(0).detail};
              small.host->request_stop();
            });
          });
          if (!small.host->run()) return 4;
          if (without.phase != Phase::pending || without.detail.find("no thread for it") == std::string::npos) return 5;
          return with.phase == Phase::refused ? 0 : 6; // its file was looked for
        }) == 0);
}

TEST_CASE("a host that is told to stop while a plugin waits for a thread stops") {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
  CHECK(outcome_without_threads([&](const auto &no_threads, const auto &threads_again) {
          SmallHost small(folder.path());
          if (!small.host) return 3;
          Seen without;
          no_threads();
          small.look(without, [&] {
            small.host->request_stop();
            small.host->post(threads_again);
          });
          return small.host->run() && without.phase == Phase::pending ? 0 : 4;
        }) == 0);
}
