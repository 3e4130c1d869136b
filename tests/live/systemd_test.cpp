// What a service manager hears from a real host: ready, reloading, stopping, and the watchdog's pings.
#include "live_host.h"
#include "runtime/service_notify_testing.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using trellis::testing::NotifySocket;

namespace {

// A host with one plugin, started as systemd would start it.
struct Unit : LiveHost {
  explicit Unit(std::chrono::milliseconds watchdog = 0ms) {
    ::setenv("NOTIFY_SOCKET", manager.address().c_str(), 1);
    if (watchdog.count() > 0) ::setenv("WATCHDOG_USEC", std::to_string(watchdog.count() * 1000).c_str(), 1);
    set_plugin("echo", {built("echo-c.so")});
    accept(built("echo-c.so"));
  }
  ~Unit() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
  }
  Unit(const Unit &) = delete;
  Unit &operator=(const Unit &) = delete;

  // The next message that isn't a ping; "" when none comes.
  std::string next(std::chrono::milliseconds limit = 20s) const {
    for (;;)
      if (auto text = manager.next(limit); text != "WATCHDOG=1") return text;
  }
  // Whether the next message is a ping.
  bool pings(std::chrono::milliseconds limit = 5s) const { return manager.next(limit) == "WATCHDOG=1"; }

  NotifySocket manager{"@trellis-live-" + std::to_string(::getpid())};
};

} // namespace

TEST_CASE("the host is ready for its service manager when its plugins are up, and not before") {
  Unit unit;
  unit.nats().stop();
  unit.launch();
  REQUIRE(unit.logged({"plugin starting", "\"echo\""}));
  CHECK(unit.next(1s).empty()); // it waits for NATS, and so does who waits for it
  unit.nats().start();
  CHECK(unit.next() == "READY=1\nSTATUS=1 of 1 plugins run, 0 wait");
  CHECK(unit.count_logged({"plugin running", "\"echo\""}) == 1);

  unit.process().signal(SIGHUP);
  CHECK(unit.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  CHECK(unit.next().starts_with("READY=1\n"));

  // A reload that is refused ends as well, and says why.
  std::ofstream(unit.config_file(), std::ios::app) << "\n[nonsense]\n";
  unit.process().signal(SIGHUP);
  CHECK(unit.next().starts_with("RELOADING=1\n"));
  const auto refused = unit.next();
  CHECK(refused.starts_with("READY=1\nSTATUS=reload refused: "));
  CHECK(refused.find("unknown key nonsense") != std::string::npos);

  unit.process().signal(SIGTERM);
  CHECK(unit.next() == "STOPPING=1\nSTATUS=stopping");
  CHECK(unit.process().wait() == 0);
}

TEST_CASE("the watchdog hears nothing more once the control thread is stuck, and again when it turns") {
  Unit unit(300ms);
  unit.start();
  CHECK(unit.next().starts_with("READY=1\n"));
  CHECK(unit.pings());
  CHECK(unit.pings());

  // The control thread reads trellis.toml; from a pipe that nobody writes to it reads for ever.
  const auto text = read_file(unit.config_file());
  std::filesystem::remove(unit.config_file());
  REQUIRE(::mkfifo(unit.config_file().c_str(), 0600) == 0);
  unit.process().signal(SIGHUP);
  REQUIRE(unit.next().starts_with("RELOADING=1\n"));
  unit.pings(100ms); // one that was under way
  CHECK_FALSE(unit.pings(1500ms));

  std::ofstream(unit.config_file()) << text;
  CHECK(unit.next().starts_with("READY=1\n"));
  CHECK(unit.pings());
  CHECK(unit.stop() == 0);
}
