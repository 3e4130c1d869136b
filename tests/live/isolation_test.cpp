// A plugin in a process of its own: what it can't do, and what its end does to others. Each attempt is made for real.
#include "isolation_bench.h"
#include "support/process_figures.h"
#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace trellis;
using namespace trellis::test;

namespace {

// What addr2line makes of a line of a backtrace, as docs/isolation.md says to use it.
std::string function_of_frame(const std::string &report, const std::string &frame) {
  const auto from = report.find(frame) + frame.size();
  const auto offset = report.substr(from, report.find('\n', from) - from);
  return run_program({"/usr/bin/env", "addr2line", "-f", "-e", built("unruly.so").string(), offset}).out;
}

std::set<pid_t> children_of(pid_t pid) {
  std::set<pid_t> children;
  for (const auto &thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream in(thread.path() / "children");
    for (pid_t child = 0; in >> child;)
      children.insert(child);
  }
  return children;
}

double median(std::vector<std::size_t>::const_iterator from, std::vector<std::size_t>::const_iterator to) {
  std::vector<std::size_t> sorted(from, to);
  std::ranges::sort(sorted);
  return static_cast<double>(sorted[sorted.size() / 2]);
}

// Of this process and of what it starts, until the end of the object.
class SetVariable {
public:
  SetVariable(const char *name, const std::string &value) : name_(name) {
    if (const char *now = std::getenv(name)) before_ = now;
    ::setenv(name, value.c_str(), 1);
  }
  ~SetVariable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  SetVariable(const SetVariable &) = delete;
  SetVariable &operator=(const SetVariable &) = delete;

private:
  const char *name_;
  std::optional<std::string> before_;
};

// "" or what more options can be put after.
std::string options_of(const char *name) {
  const char *options = std::getenv(name);
  return options && *options ? std::string(options) + ":" : std::string();
}

} // namespace

TEST_CASE("an isolated plugin serves like any other, with the same contract and table") {
  Bench bench;
  bench.begin();
  CHECK(bench.attempt("nothing") == "ok");
  CHECK(bench.unruly_pid() != bench.process().pid());
  CHECK(bench.logged({"unruly is", "\"dataDir\""}));
  CHECK(bench.attempt("print") == "ok");
  CHECK(bench.logged({"unruly printed this", "\"unruly\""}));
  CHECK(bench.status().find("\"isolation\":\"process\"") != std::string::npos);
  const auto pid = bench.unruly_pid();
  CHECK(bench.stop() == 0);
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("an isolated plugin can't read secrets, the state folder or another process") {
  Bench bench;
  bench.begin();
  check_it_cant_read(bench);
}

TEST_CASE("an isolated plugin can't start programs, signal others or change the system") {
  Bench bench;
  bench.begin();
  check_it_cant_reach_out(bench);
  if (::geteuid() == 0) CHECK(std::stoi(bench.attempt("uid")) >= 90000);
}

TEST_CASE("an isolated plugin without network can't open a socket, and still serves") {
  Bench bench("network = false\n");
  bench.begin();
  CHECK(refused(bench.attempt("ip-socket")));
}

TEST_CASE("an isolated plugin has a folder of its own, and keeps it") {
  Bench bench;
  bench.begin();
  const auto folder = ::geteuid() == 0 ? fs::path(bench.state().string() + ".plugins") : bench.state() / "plugins";
  const auto file = folder / "unruly" / "file";
  CHECK(bench.attempt("write", file.string()).starts_with("ok"));
  bench.stop();
  bench.begin();
  CHECK(bench.attempt("read", file.string()).starts_with("ok"));
  struct stat about {};
  REQUIRE(::stat((folder / "unruly").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
}

TEST_CASE("a crash answers the requests in flight at once, leaves a report, and the plugin comes back") {
  struct Crash {
    std::string mode, cause;
    bool has_backtrace;
  };
  Bench bench("crash_loop_limit = 100\nrestart_backoff_max_ms = 200\n");
  bench.begin();
  for (const auto &crash : {Crash{"segfault", "SIGSEGV (address 0x10)", true}, Crash{"abort", "SIGABRT", true},
                            Crash{"overflow", "SIGSEGV", true}, Crash{"exit", "exited with status 7", false},
                            Crash{"kill", "SIGKILL", false}}) {
    INFO(crash.mode + "\n" + bench.log());
    const auto before = bench.reports().size();
    std::atomic<int> others = 0;
    std::string bystander;
    std::thread waiting([&] {
      bystander = error_text(bench.ask("wait"));
      ++others;
    });
    const auto began = std::chrono::steady_clock::now();
    const auto lost = error_text(bench.ask(crash.mode));
    waiting.join();
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(4)); // "wait" would take five
    CHECK(lost.find("trellis.rpc.crashed") != std::string::npos);
    CHECK(bystander.find("trellis.rpc.crashed") != std::string::npos);
    CHECK(bench.echo_answers());
    CHECK(bench.unruly_answers());
    const auto reports = bench.reports();
    REQUIRE(reports.size() == before + 1);
    const auto report = read_file(reports.back());
    CHECK(report.find(crash.cause) != std::string::npos);
    CHECK(report.find("unruly 1.0.0") != std::string::npos);
    CHECK((report.find("unruly.so+0x") != std::string::npos) == crash.has_backtrace);
    if (crash.mode == "segfault") CHECK(function_of_frame(report, "#0 unruly.so+").starts_with("unruly_crashes_here"));
    struct stat about {};
    REQUIRE(::stat(reports.back().c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
  }
  CHECK(bench.status().find("\"lastCrash\":\"20") != std::string::npos);
}

TEST_CASE("requests that arrive while a crashed plugin restarts wait for it") {
  Bench bench("restart_backoff_ms = 1000\n");
  bench.begin();
  CHECK(!bench.ask("segfault"));
  CHECK(bench.logged({"the plugin's process ended"}));
  CHECK(bench.attempt("nothing") == "ok");
}

TEST_CASE("kill -9 of the process in the middle of requests answers each of them once") {
  Bench bench("crash_loop_limit = 100\nmax_concurrency = 16\n");
  bench.begin();
  const auto method = bench.clerk->method(kUnruly, "Unruly.Do");
  const auto pid = bench.unruly_pid();
  std::atomic<int> answered = 0, crashed = 0;
  for (int i = 0; i < 40; ++i)
    bench.clerk->client().call(method, R"({"mode":"wait"})", {.timeout = std::chrono::seconds(20)},
                               [&](const CallResult &result) {
                                 crashed += error_text(result).find("trellis.rpc.crashed") != std::string::npos;
                                 ++answered;
                               });
  const auto all_there = R"("waiting":0,"running":0,"unanswered":40,)";
  CHECK(wait_until([&] { return bench.status().find(all_there) != std::string::npos; }));
  CHECK(::kill(pid, SIGKILL) == 0);
  CHECK(wait_until([&] { return answered == 40; }, std::chrono::seconds(3)));
  CHECK(crashed == 40);
  CHECK(bench.unruly_answers());
  CHECK(bench.unruly_pid() != pid);
}

TEST_CASE("a plugin that crashes again and again is put into quarantine until the next reload") {
  Bench bench("crash_loop_limit = 3\nrestart_backoff_ms = 20\n");
  bench.begin();
  for (int i = 0; i < 3; ++i) {
    INFO(i);
    CHECK(error_text(bench.ask("abort")).find("trellis.rpc.crashed") != std::string::npos);
  }
  CHECK(bench.logged({"plugin quarantined", "3 crashes within 60 s"}));
  const auto said =
      run_program({built("trellis").string(), "host", "status", "--config", bench.config_file().string()}).out;
  INFO(said);
  CHECK(said.find("quarantined") != std::string::npos);
  CHECK(said.find("3 crashes within 60 s, the last one: killed by SIGABRT (" + (bench.state() / "crashes").string()) !=
        std::string::npos);
  CHECK(said.find("`trellis host reload` starts it again") != std::string::npos);
  CHECK(bench.reports().size() == 3);
  CHECK(bench.echo_answers());
  CHECK(error_text(bench.ask("nothing")).find("unavailable") != std::string::npos); // it isn't subscribed any more
  const auto lifted =
      run_program({built("trellis").string(), "host", "reload", "--config", bench.config_file().string()});
  INFO(lifted.err);
  CHECK(lifted.status == 0);
  CHECK(bench.attempt("nothing") == "ok");
}

TEST_CASE("a plugin that crashes when it is made is refused with words, and delays nobody") {
  Bench bench("[plugins.unruly.config]\ncrash_in = \"create\"\n");
  bench.begin();
  CHECK(bench.logged({"plugin failed", "unruly", "SIGABRT"}));
  CHECK(bench.reports().size() == 1);
  CHECK(bench.echo_answers());
}

TEST_CASE("what an isolated plugin shows is checked before it is used, and refused with the same words") {
  struct Variant {
    std::string number, words;
  };
  const std::vector<Variant> variants{{"1", "major 1"},
                                      {"4", "has no handler"},
                                      {"18", "health_malformed: variant18: variant18: the plugin's trellis.health/1: a "
                                             "struct of 4 bytes"},
                                      {"19", "check 0 has no function"},
                                      {"21", "4294967295 checks"}};
  Bench bench;
  for (const auto &variant : variants) {
    const auto file = built("abi-" + variant.number + ".so");
    bench.set_plugin("variant" + variant.number, {.file = file, .lines = "isolation = \"process\"\n"});
    bench.accept(file);
  }
  bench.begin();
  for (const auto &variant : variants) {
    INFO(variant.number);
    CHECK(bench.logged({"plugin failed", "\"variant" + variant.number + "\"", variant.words}));
  }
  CHECK(bench.reports().empty()); // none of them crashed
  CHECK(bench.unruly_answers());
}

TEST_CASE("a process that gives no sign of life is ended and replaced") {
  Bench bench("hang_timeout_ms = 3000\n"); // a second passes easily on a machine that is busy
  bench.begin();
  const auto pid = bench.unruly_pid();
  CHECK(error_text(bench.ask("freeze")).find("trellis.rpc.crashed") != std::string::npos);
  CHECK(bench.logged({"the plugin's process ended", "no sign of life"}));
  CHECK(bench.unruly_answers());
  CHECK(bench.unruly_pid() != pid);
  CHECK(bench.echo_answers());
}

TEST_CASE("handlers that hang or loop get deadlines, and when all of them do the process is replaced") {
  for (const std::string mode : {"hang", "loop"}) {
    INFO(mode);
    Bench bench("max_concurrency = 2\ndeadline_ms = 500\nhang_timeout_ms = 3000\n");
    bench.begin();
    const auto pid = bench.unruly_pid();
    CHECK(error_text(bench.ask(mode)).find("trellis.rpc.deadline_exceeded") != std::string::npos);
    CHECK(bench.echo_answers());
    CHECK(bench.attempt("nothing") == "ok"); // the other worker
    CHECK(error_text(bench.ask(mode)).find("trellis.rpc.deadline_exceeded") != std::string::npos);
    CHECK(bench.unruly_answers());
    CHECK(bench.unruly_pid() != pid);
    CHECK(bench.logged({"the plugin's process ended", "handlers are stuck"}));
    CHECK(bench.echo_answers());
    CHECK(bench.stop() == 0);
  }
}

TEST_CASE("a leak ends at the plugin's limit, and a bomb of threads at its own") {
  Bench bench("memory_max_mb = 200\nthreads_max = 64\n");
  bench.begin();
  const auto threads = bench.attempt("thread-bomb");
  if (threads.starts_with("ok")) CHECK(std::stoi(threads.substr(3)) < 64);
  CHECK(bench.echo_answers());
  // Refused memory, or ended for it: a sanitizer's address space can't be limited.
  if (!host_is_sanitized()) {
    const auto leaked = bench.attempt("leak");
    CHECK((refused(leaked) || leaked.find("trellis.rpc.crashed") != std::string::npos));
  }
  CHECK(bench.echo_answers());
}

TEST_CASE("a file that nobody vouches for runs in a process of its own, and never in the host's") {
  Bench bench;
  bench.set_plugin("unruly", {.file = built("unruly.so"), .pinned = false});
  bench.begin();
  CHECK(bench.logged({"plugin running", "unruly", "\"vouched_by\":\"nobody\""}));
  CHECK(bench.unruly_pid() != bench.process().pid());
  bench.set_plugin("unruly", {.file = built("unruly.so"), .pinned = false, .lines = "isolation = \"none\"\n"});
  bench.reload();
  CHECK(bench.logged({"the plugin's file is refused", "untrusted"}));
}

TEST_CASE("a listener that never comes back leaves no process behind when its plugin is replaced or the host stops") {
  constexpr char kNurse[] = "test.nurse@v1";
  LiveHost host({.host_lines = "health_interval_ms = 100\ndrain_ms = 500\n"});
  const auto with = [&](const std::string &lines) {
    host.set_plugin("nurse", {.file = built("nurse.so"), .lines = "isolation = \"process\"\n" + lines});
  };
  with("");
  host.accept(built("nurse.so"));
  host.set_caller("shop", {{}, {{kNurse, {"*"}}, {"trellis.health@v1", {"*"}}}});
  host.start();
  const auto shop = host.connect("shop");
  const auto hang = [&](std::size_t times) {
    REQUIRE(wait_until([&] { return shop->call(kNurse, "Nurse.Heard", R"({"name":"nobody"})").has_value(); }));
    REQUIRE(wait_until([&] { return host.count_logged({"it hangs"}) == times; }));
  };
  hang(1);
  const auto before = children_of(host.process().pid());
  REQUIRE(before.size() == 1);
  with("max_concurrency = 3\n"); // another instance
  host.reload();
  CHECK(wait_until([&] { return children_of(host.process().pid()).size() == 1; }, std::chrono::seconds(5)));
  CHECK(children_of(host.process().pid()) != before);
  hang(2);
  CHECK(host.stop() == 0);
}

TEST_CASE("the process ends with the host, also when that is killed") {
  Bench bench;
  bench.begin();
  const auto pid = bench.unruly_pid();
  bench.kill();
  CHECK(wait_until([&] { return ::kill(pid, 0) != 0; }, std::chrono::seconds(5)));
}

TEST_CASE("replacing an isolated plugin leaves nothing behind in the host") {
  // What a sanitizer keeps on purpose would be all that is measured: freed memory, and stacks of frames.
  const SetVariable calm("ASAN_OPTIONS", options_of("ASAN_OPTIONS") + "quarantine_size_mb=1:"
                                                                      "thread_local_quarantine_size_kb=16:"
                                                                      "detect_stack_use_after_return=0");
  Bench bench({}, "max_generations = 2\n");
  bench.begin();
  int queue = 100;
  const auto replace = [&] {
    bench.set_plugin("unruly", {.file = built("unruly.so"),
                                .lines = "isolation = \"process\"\nqueue = " + std::to_string(++queue) + "\n"});
    bench.reload();
    CHECK(bench.attempt("nothing") == "ok");
  };
  const auto figures = [&] { return figures_of_process(bench.process().pid()); };
  for (int i = 0; i < 10; ++i) // until what is allocated once is there
    replace();
  const auto before = figures();
  const int third = std::getenv("TRELLIS_TEST_LONG") ? 100 : 10;
  std::vector<std::size_t> rss_kb;
  for (int i = 0; i < 3 * third; ++i) {
    replace();
    rss_kb.push_back(figures().rss_kb);
  }
  // Replaced connections and threads are on their way out for a moment.
  CHECK(wait_until([&] { return figures().descriptors <= before.descriptors; }, std::chrono::seconds(40)));
  CHECK(wait_until([&] { return figures().threads <= before.threads; }));
  CHECK(figures().mappings <= before.mappings + 4); // the heap's own
  // Medians of the first and the last third: 2 * third replacements apart.
  const auto first = median(rss_kb.begin(), rss_kb.begin() + third), last = median(rss_kb.end() - third, rss_kb.end());
  const auto grown_kb = (last - first) / (2.0 * third);
  WARN("growth of the host per replaced process: " << grown_kb << " KiB, of " << last << "; " << 3 * third
                                                   << " replacements");
  // TSan keeps what it knows of each thread and address that there was.
  const int kb_of_sanitizer = host_is_thread_sanitized() ? 2000 : 200;
  CHECK(grown_kb < (host_is_sanitized() ? kb_of_sanitizer : third > 10 ? 4 : 40));
  CHECK(bench.echo_answers());
}
