#include "runtime/service_notify.h"
#include "runtime/service_notify_testing.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <unistd.h>

using namespace trellis;
using trellis::testing::NotifySocket;

namespace {

std::string own_path() {
  return (std::filesystem::temp_directory_path() / ("notify-" + std::to_string(::getpid()))).string();
}

// A thread's messages, turned by hand.
struct Turned {
  std::mutex mutex;
  std::deque<std::function<void()>> messages;
  void post(std::function<void()> message) {
    const std::lock_guard lock(mutex);
    messages.push_back(std::move(message));
  }
  std::size_t turn() {
    std::deque<std::function<void()>> taken;
    {
      const std::lock_guard lock(mutex);
      taken.swap(messages);
    }
    for (const auto &message : taken)
      message();
    return taken.size();
  }
};

} // namespace

TEST_CASE("a service manager is told what happens, over a path and over an abstract name") {
  for (const std::string &address : {own_path(), "@trellis-notify-test-" + std::to_string(::getpid())}) {
    INFO(address);
    const NotifySocket manager(address);
    const ServiceNotifier notifier(address);
    notifier.ready("2 plugins run\nREADY=0");
    CHECK(manager.next() == "READY=1\nSTATUS=2 plugins run READY=0"); // no second line from a text
    notifier.reloading();
    const auto reloading = manager.next();
    CHECK(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier.stopping();
    CHECK(manager.next() == "STOPPING=1\nSTATUS=stopping");
    notifier.alive();
    CHECK(manager.next() == "WATCHDOG=1");
  }
}

TEST_CASE("the environment is taken, once, and a watchdog for another process isn't ours") {
  const auto read = [](const std::string &pid) {
    ::setenv("NOTIFY_SOCKET", own_path().c_str(), 1);
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    ::setenv("WATCHDOG_PID", pid.c_str(), 1);
    const auto notifier = ServiceNotifier::from_environment();
    CHECK_FALSE(std::getenv("NOTIFY_SOCKET"));
    CHECK_FALSE(std::getenv("WATCHDOG_USEC"));
    return notifier.watchdog();
  };
  CHECK(read(std::to_string(::getpid())) == std::chrono::seconds(3));
  CHECK_FALSE(read("1"));
  const auto none = ServiceNotifier::from_environment();
  CHECK_FALSE(none.watchdog());
  none.ready("nobody listens");
}

TEST_CASE("nobody at the socket, or no socket at all, is no trouble") {
  const ServiceNotifier absent(own_path() + "-absent"), relative("relative/path"), at("@"), none("");
  for (const auto *notifier : {&absent, &relative, &at, &none})
    CHECK_NOTHROW(notifier->ready("x"));
  const ServiceNotifier too_long("/" + std::string(200, 'x'));
  CHECK_NOTHROW(too_long.ready("x"));
}

TEST_CASE("the watchdog pings while its thread turns, and not while it is stuck") {
  const NotifySocket manager(own_path());
  const ServiceNotifier notifier(own_path(), std::chrono::milliseconds(30));
  Turned thread;
  const Watchdog watchdog(notifier, [&](std::function<void()> message) { thread.post(std::move(message)); });
  const auto wait_for_turn = [&] {
    while (thread.turn() == 0)
      std::this_thread::yield();
  };
  wait_for_turn();
  CHECK(manager.next() == "WATCHDOG=1");
  wait_for_turn();
  CHECK(manager.next() == "WATCHDOG=1");
  // Stuck for ten intervals: no ping, and one message at most lies there.
  CHECK(manager.next(std::chrono::milliseconds(300)).empty());
  CHECK(thread.turn() == 1);
  CHECK(manager.next() == "WATCHDOG=1");
}
