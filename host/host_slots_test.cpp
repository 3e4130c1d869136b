#include "host_slot.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::host;
using namespace std::chrono_literals;

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
  wanted.policy.remote_jwt_life = 1s;
  CHECK(needs_restart(running, wanted) ==
        std::vector<std::string>{"host.log", "host.log_level", "host.connect_retry_max_ms", "host.health_interval_ms",
                                 "host.isolation_uid_base", "policy.jwt_life_s"});
}
