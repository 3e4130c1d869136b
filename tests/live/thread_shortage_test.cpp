// A host whose user may have no further thread (TasksMax=, ulimit -u), at each point of a plugin's start in turn. The
// limit doesn't hold for root.
#include "as_nobody.h"
#include "isolation_bench.h"
#include <algorithm>
#include <csignal>
#include <fstream>
#include <sys/resource.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kLimited[] = "\"code\":\"threads\"";

// Those that the system counts against the limit of this thread's user.
rlim_t threads_of_this_user() {
  rlim_t count = 0;
  std::error_code gone; // processes end meanwhile
  for (const auto &process : fs::directory_iterator("/proc", gone)) {
    for (fs::directory_iterator thread(process.path() / "task", gone), end; thread != end; thread.increment(gone)) {
      std::ifstream status(thread->path() / "status");
      for (std::string line; std::getline(status, line);)
        if (line.starts_with("Uid:") && std::stoul(line.substr(4)) == ::geteuid()) ++count;
    }
  }
  return count;
}

struct ShortBench : Bench {
  using Bench::Bench;
  void limit_threads(rlim_t limit) {
    rlimit limits{};
    REQUIRE(::prlimit(process().pid(), RLIMIT_NPROC, nullptr, &limits) == 0);
    limits.rlim_cur = std::min(limit, limits.rlim_max);
    REQUIRE(::prlimit(process().pid(), RLIMIT_NPROC, &limits, nullptr) == 0);
  }
  // Both plugins get another table, while the host's user may have so many threads; returns once they may be had again.
  void replace_both(rlim_t limit) {
    const auto lines = "queue = " + std::to_string(200 + ++replacements_) + "\n";
    set_plugin("echo", {.file = built("echo-c.so"), .lines = lines});
    set_plugin("unruly", {.file = built("unruly.so"), .lines = "isolation = \"process\"\n" + lines});
    const auto before = decided();
    write_files();
    limit_threads(limit);
    process().signal(SIGHUP);
    // A connection without its thread waits, and tells nobody: then this goes on after a second.
    static_cast<void>(wait_until([&] { return decided() >= before + 2; }, 1s));
    limit_threads(RLIM_INFINITY);
  }
  // The isolated plugin is removed, and added while the host's user may have so many threads and processes.
  void add_again(rlim_t limit) {
    remove_plugin("unruly");
    reload();
    const auto before = started();
    set_plugin("unruly", {.file = built("unruly.so"), .lines = "isolation = \"process\"\n"});
    write_files();
    limit_threads(limit);
    process().signal(SIGHUP);
    static_cast<void>(wait_until([&] { return started() > before; }, 1s));
    limit_threads(RLIM_INFINITY);
  }
  std::size_t decided() const {
    return count_logged({"replaced its predecessor"}) + count_logged({"new copy failed"}) +
           count_logged({"the system has no thread"});
  }

private:
  std::size_t started() const {
    return count_logged({"plugin running", "\"unruly\""}) + count_logged({"plugin failed", "\"unruly\""});
  }

  int replacements_ = 0;
};

} // namespace

TEST_CASE("a host that may have no further thread stays, serves, and replaces its plugins when it may") {
  as_nobody([] {
    ShortBench bench;
    bench.begin();
    bench.replace_both(0);
    // How many it has isn't known exactly: other tests have this user too, and threads come and go.
    for (int round = 0; round < 5 && bench.count_logged({kLimited}) == 0; ++round) {
      const auto from = std::max<rlim_t>(threads_of_this_user(), 8) - 8;
      for (rlim_t limit = from; limit < from + 16; ++limit) {
        INFO("limit " << limit);
        bench.replace_both(limit);
        CHECK(bench.echo_answers());
        CHECK(bench.unruly_answers());
      }
    }
    CHECK(bench.count_logged({"the system has no thread"}) > 0);
    CHECK(bench.count_logged({kLimited}) > 0);
    const auto before = bench.count_logged({"replaced its predecessor"});
    bench.replace_both(RLIM_INFINITY);
    CHECK(wait_until([&] { return bench.count_logged({"replaced its predecessor"}) >= before + 2; }));
    CHECK(bench.stop() == 0);
  });
}

TEST_CASE("an isolated plugin whose next process can't be had isn't quarantined, and runs again when it can") {
  as_nobody([] {
    ShortBench bench("crash_loop_limit = 3\nrestart_backoff_ms = 10\n");
    bench.begin();
    REQUIRE(bench.echo_answers()); // which starts the thread for its requests
    const auto pid = bench.unruly_pid();
    bench.limit_threads(0);
    REQUIRE(::kill(pid, SIGKILL) == 0);
    CHECK(wait_until([&] { return bench.count_logged({"can't be started; it is tried again"}) >= 5; }));
    CHECK(bench.echo_answers());
    bench.limit_threads(RLIM_INFINITY);
    CHECK(bench.unruly_answers());
    CHECK(bench.reports().size() == 1); // of the kill
    CHECK(bench.stop() == 0);
  });
}

TEST_CASE("an isolated plugin whose first process can't be had starts when it can") {
  as_nobody([] {
    ShortBench bench;
    bench.begin();
    const auto failed = [&] { return bench.count_logged({"plugin failed", "threads: ", "it is tried again"}); };
    for (int round = 0; round < 5 && failed() == 0; ++round) {
      const auto from = std::max<rlim_t>(threads_of_this_user(), 8) - 8;
      for (rlim_t limit = from; limit < from + 16 && failed() == 0; ++limit) {
        INFO("limit " << limit);
        bench.add_again(limit);
        CHECK(bench.unruly_answers());
      }
    }
    CHECK(failed() > 0);
    CHECK(bench.reports().empty());
    CHECK(bench.stop() == 0);
  });
}
