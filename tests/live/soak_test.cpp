// What an operator leaves alone: a host whose JWTs expire, whose plugins are replaced, added, removed, fail and crash,
// and whose NATS server goes away, for 20 minutes (./dev test --long soak) or for half a minute. It must neither lose a
// request outside the outages nor grow.
//
// The memory of a process is looked at in the builds without a sanitizer only: theirs keeps what was freed.
#include "answer_ledger.h"
#include "live_host.h"
#include "support/process_figures.h"
#include "support/trend.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// What differs between the two sizes.
struct Plan {
  std::chrono::seconds length, warm_up, jwt_life;
  std::chrono::seconds reload, change_plugins, restart_nats, crash; // every so often
  std::size_t rotations;                                            // of each connection, at least
  // While it warms up, all but crashes come so many times as often. A thread of the host keeps what it frees, up to
  // seven blocks of each of 64 sizes (glibc's tcache): the main thread's store of them grew from 87 to 140 KiB with the
  // first 16 reloads, and so slowly on that 15 minutes show it as growth, though nothing is lost.
  int haste;
};
Plan plan() {
  if (std::getenv("TRELLIS_TEST_LONG")) return {1200s, 300s, 20s, 15s, 40s, 100s, 13s, 50, 6};
  return {35s, 10s, 5s, 6s, 9s, 16s, 7s, 4, 1};
}

// Calls at a steady, modest rate until stop(); remembers when one failed.
class SteadyCalls {
public:
  SteadyCalls(Caller &caller, RpcMethod method, std::string input, std::chrono::milliseconds pause)
      : caller_(caller), method_(std::move(method)), input_(std::move(input)), pause_(pause),
        thread_([this] { run(); }) {}
  ~SteadyCalls() { stop(); }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  struct Failure {
    Clock::time_point begun, ended;
    std::string text;
  };
  std::vector<Failure> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  std::size_t answered() const { return answered_; }

private:
  void run() {
    auto next = Clock::now();
    while (!stopping_) {
      const auto begun = Clock::now();
      const auto result = caller_.client().call_and_wait(method_, input_, {.timeout = 3s});
      if (result) {
        ++answered_;
      } else {
        const std::lock_guard lock(mutex_);
        failures_.push_back({begun, Clock::now(), error_text(result)});
      }
      next = std::max(next + pause_, Clock::now());
      std::this_thread::sleep_until(next); // the rate of the load
    }
  }

  Caller &caller_;
  const RpcMethod method_;
  const std::string input_;
  const std::chrono::milliseconds pause_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> answered_ = 0;
  mutable std::mutex mutex_; // guards failures_
  std::vector<Failure> failures_;
  std::thread thread_;
};

struct Outage {
  Clock::time_point begun, ended;
};

bool lies_in(const SteadyCalls::Failure &failure, const std::vector<Outage> &outages) {
  for (const auto &outage : outages)
    if (failure.ended >= outage.begun && failure.begun <= outage.ended) return true;
  return false;
}

struct SoakHost : LiveHost {
  explicit SoakHost(const Plan &plan)
      : LiveHost({.jwt_life = plan.jwt_life, .host_lines = "log_level = \"debug\"\nmax_generations = 2\n"}) {
    set_plugin("echo", {built("echo-c.so")});
    set_plugin("waiter", {built("waiter.so")});
    set_plugin("odd", {.file = built("odd.so"), .lines = "deadline_ms = 300\n"});
    namespace fs = std::filesystem;
    for (const auto &folder : {bundle().parent_path(), bundle()}) // so that the isolated plugin's own user passes
      fs::permissions(folder, fs::perms(0711));
    set_plugin("unruly", {.file = built("unruly.so"), .lines = "isolation = \"process\"\ncrash_loop_limit = 1000\n"});
    for (const auto *name : {"echo-c.so", "waiter.so", "odd.so", "unruly.so"})
      accept(built(name));
    CallerEntry uses;
    for (const auto *contract : {"acme.echo@v1", "test.waiter@v1", "test.odd@v1", "test.unruly@v1"})
      uses.uses[contract] = {"*"};
    set_caller("clerk", std::move(uses));
    start();
  }
  void change_tables(int turn) {
    const auto lines = "queue = " + std::to_string(300 + turn % 2) + "\n";
    set_plugin("echo", {.file = built("echo-c.so"), .lines = lines});
    set_plugin("waiter", {.file = built("waiter.so"), .lines = lines});
    reload();
  }
  void remove_or_add_odd() {
    odd_ = !odd_;
    if (odd_)
      set_plugin("odd", {.file = built("odd.so"), .lines = "deadline_ms = 300\n"});
    else
      remove_plugin("odd");
    reload();
  }
  // NATS is away for a moment, in the two ways in which that happens; returns when everybody answers again.
  Outage restart_nats(Caller &caller, bool hard) {
    Outage outage{Clock::now(), {}};
    if (hard)
      nats().kill();
    else
      nats().stop();
    nats().start();
    const auto answers = [&](const char *contract, const char *rpc, const char *input) {
      return caller.call(contract, rpc, input, {.timeout = 500ms}).has_value();
    };
    CHECK(wait_until([&] { return answers("acme.echo@v1", "Echo.Say", R"({"message":"there?"})"); }, 30s));
    CHECK(wait_until([&] { return answers("test.waiter@v1", "Waiter.Do", R"({"mode":"now"})"); }, 30s));
    CHECK(wait_until([&] { return answers("test.unruly@v1", "Unruly.Do", R"({"mode":"nothing"})"); }, 30s));
    outage.ended = Clock::now() + 3s; // calls that wait out their timeout
    return outage;
  }
  // The isolated plugin's process dies; returns when its successor answers. An outage of that plugin alone.
  static Outage crash_unruly(Caller &caller) {
    Outage outage{Clock::now(), {}};
    const auto ask = [&](const char *input) {
      return caller.call("test.unruly@v1", "Unruly.Do", input, {.timeout = 2s}).has_value();
    };
    CHECK_FALSE(ask(R"({"mode":"abort"})"));
    CHECK(wait_until([&] { return ask(R"({"mode":"nothing"})"); }, 60s));
    outage.ended = Clock::now();
    return outage;
  }

private:
  bool odd_ = true;
};

// Handlers that throw, that never answer, and that answer too late.
void misbehave(Caller &caller) {
  CHECK_FALSE(caller.call("test.waiter@v1", "Waiter.Do", R"({"mode":"fail"})", {.timeout = 1s}));
  CHECK_FALSE(caller.call("test.odd@v1", "Odd.Do", R"({"mode":"late"})", {.timeout = 1s}));
}

class Every {
public:
  // `warming_up`: the period while the host warms up.
  Every(std::chrono::milliseconds period, std::chrono::milliseconds warming_up, std::function<void()> work)
      : period_(period), warming_up_(warming_up), work_(std::move(work)) {}
  void run_if_due(bool warm) {
    const auto period = warm ? period_ : warming_up_;
    if (Clock::now() < last_ + period) return;
    work_();
    last_ = std::max(last_ + period, Clock::now() - period);
  }

private:
  const std::chrono::milliseconds period_, warming_up_;
  Clock::time_point last_ = Clock::now();
  const std::function<void()> work_;
};

struct Series {
  std::vector<Sample> rss_mb, descriptors, threads, mappings;
  void add(double seconds, const ProcessFigures &figures) {
    rss_mb.push_back({seconds, static_cast<double>(figures.rss_kb) / 1024});
    descriptors.push_back({seconds, static_cast<double>(figures.descriptors)});
    threads.push_back({seconds, static_cast<double>(figures.threads)});
    mappings.push_back({seconds, static_cast<double>(figures.mappings)});
  }
};

} // namespace

TEST_CASE("a host that lives through rotations, reloads, reconnects and failures doesn't grow") {
  const Plan plan = ::plan();
  SoakHost host(plan);
  const auto clerk = host.connect("clerk");
  SteadyCalls echo(*clerk, clerk->method("acme.echo@v1", "Echo.Say"), R"({"message":"soak"})", 10ms);
  SteadyCalls slow(*clerk, clerk->method("test.waiter@v1", "Waiter.Do"), R"({"mode":"sleep","ms":20})", 25ms);
  SteadyCalls later(*clerk, clerk->method("test.waiter@v1", "Waiter.Later"), R"({"mode":"later","ms":20})", 25ms);

  SteadyCalls apart(*clerk, clerk->method("test.unruly@v1", "Unruly.Do"), R"({"mode":"nothing"})", 25ms);

  std::vector<Outage> outages, crashes;
  int reloads = 0;
  bool hard = false;
  std::vector<Every> happenings;
  const auto often = [&](std::chrono::milliseconds period, std::function<void()> work) {
    happenings.emplace_back(period, period / plan.haste, std::move(work));
  };
  often(plan.reload, [&] { host.change_tables(++reloads); });
  often(plan.change_plugins, [&] { host.remove_or_add_odd(); });
  often(plan.restart_nats, [&] { outages.push_back(host.restart_nats(*clerk, hard = !hard)); });
  often(5s, [&] { misbehave(*clerk); });
  happenings.emplace_back(plan.crash, plan.crash, [&] { crashes.push_back(SoakHost::crash_unruly(*clerk)); });

  Series series;
  const auto started = Clock::now();
  while (Clock::now() < started + plan.length) {
    const auto at = Clock::now() - started;
    for (auto &happening : happenings)
      happening.run_if_due(at >= plan.warm_up);
    if (at >= plan.warm_up)
      series.add(std::chrono::duration<double>(at).count(), figures_of_process(host.process().pid()));
    std::this_thread::sleep_for(plan.length / 1200); // between two samples
  }
  for (auto *calls : {&echo, &slow, &later, &apart})
    calls->stop();

  std::size_t lost = 0, answered = 0;
  for (auto *calls : {&echo, &slow, &later, &apart}) {
    answered += calls->answered();
    for (const auto &failure : calls->failures())
      if (!lies_in(failure, outages) && (calls != &apart || !lies_in(failure, crashes))) {
        UNSCOPED_INFO("failed outside the outages: " << failure.text);
        ++lost;
      }
  }
  CHECK(lost == 0);
  const auto rotations = host.count_logged({"credentials issued", "\"echo\""});
  CHECK(rotations >= plan.rotations);

  const auto rss = trend_of(series.rss_mb), descriptors = trend_of(series.descriptors);
  WARN(answered << " calls, " << rotations << " rotations of a connection, " << reloads << " reloads, "
                << outages.size() << " restarts of NATS, " << crashes.size() << " crashes\nRSS         "
                << rss.text("MiB") << "\ndescriptors " << descriptors.text("fds") << "\nthreads     "
                << trend_of(series.threads).text("threads") << "\nmappings    "
                << trend_of(series.mappings).text("mappings"));
  // In half a minute the first rounds of everything still weigh; the claim is one about 15 minutes.
  const bool measured = std::getenv("TRELLIS_TEST_LONG") != nullptr;
  if (measured) CHECK_FALSE(descriptors.grows());
  if (measured && !kSanitized) CHECK_FALSE(rss.grows());
  CHECK(descriptors.mean < 120);
  CHECK(host.stop() == 0);
}
