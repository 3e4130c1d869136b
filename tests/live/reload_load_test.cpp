// Reload under load: plugins are replaced, added and removed while requests run, and each request is answered exactly
// once. ./dev test --long does it 100 times.
#include "answer_ledger.h"
#include "live_host.h"
#include "support/process_figures.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kEcho[] = "acme.echo@v1";
constexpr char kWaiter[] = "test.waiter@v1";
constexpr char kOdd[] = "test.odd@v1";

int rounds() {
  return std::getenv("TRELLIS_TEST_LONG") ? 100 : 10;
}

// A plugin file that is another one each time: the same code with a byte more at its end, put there in one step.
class ChangingFile {
public:
  explicit ChangingFile(const std::filesystem::path &original) : original_(original) { change(); }
  std::filesystem::path path() const { return folder_ / "plugin.so"; }
  void change() {
    padding_ += 'x';
    const auto fresh = folder_ / "fresh.so";
    std::filesystem::copy_file(original_, fresh, std::filesystem::copy_options::overwrite_existing);
    std::ofstream(fresh, std::ios::app) << padding_;
    std::filesystem::rename(fresh, path());
  }

private:
  TempDir folder_;
  std::filesystem::path original_;
  std::string padding_;
};

// echo in C, waiter in C++ from a file that changes, odd to be added and removed.
struct Site : LiveHost {
  explicit Site(const std::string &lines) : LiveHost({.host_lines = lines}), waiter(built("waiter.so")) {
    set_plugin("echo", {built("echo-c.so")});
    set_plugin("waiter", {waiter.path()});
    for (const auto *name : {"echo-c.so", "waiter.so", "odd.so"})
      accept(built(name));
    set_caller("clerk", {{}, {{kEcho, {"*"}}, {kWaiter, {"*"}}, {kOdd, {"*"}}}});
    start();
  }
  void replace_waiter() {
    waiter.change();
    reload();
  }
  void set_echo_queue(int queue) {
    set_plugin("echo", {.file = built("echo-c.so"), .lines = "queue = " + std::to_string(queue) + "\n"});
  }
  ProcessFigures figures() { return figures_of_process(process().pid()); }

  ChangingFile waiter;
};

// Requests of each kind: answered at once, while a handler sleeps, and later from another thread.
struct Everything {
  explicit Everything(Caller &caller)
      : echo(caller, "echo", caller.method(kEcho, "Echo.Say")), now(caller, "now", caller.method(kWaiter, "Waiter.Do")),
        slow(caller, "slow", caller.method(kWaiter, "Waiter.Do")),
        later(caller, "later", caller.method(kWaiter, "Waiter.Later")) {}

  AnswerLedger echo, now, slow, later;
  LedgerLoad load_echo{echo, R"({"message":"x"})", 4}, load_now{now, R"({"mode":"now"})", 2},
      load_slow{slow, R"({"mode":"sleep","ms":70})", 4}, load_later{later, R"({"mode":"later","ms":90})", 4};

  void stop() {
    for (auto *load : {&load_echo, &load_now, &load_slow, &load_later})
      load->stop();
    for (auto *ledger : {&echo, &now, &slow, &later})
      ledger->wait_open_below(1, 15s);
  }
};

void check_answered_once(const AnswerLedger &ledger, std::size_t at_least) {
  const auto totals = ledger.totals();
  INFO(totals.text());
  CHECK(totals.sent >= at_least);
  CHECK(totals.answered == totals.sent);
  CHECK(totals.twice == 0);
  CHECK(totals.outcomes.at("ok") == totals.sent);
}

double per_round(std::size_t before, std::size_t after, int count) {
  return (static_cast<double>(after) - static_cast<double>(before)) / count;
}

} // namespace

TEST_CASE("plugins replaced, added and removed under load: every request is answered exactly once") {
  Site site("max_generations = 1000\n");
  const auto clerk = site.connect("clerk");
  Everything load(*clerk);
  site.replace_waiter(); // so that what the first replacement allocates once is there
  const auto before = site.figures();
  for (int i = 0; i < rounds(); ++i) {
    if (i % 2 == 0) site.set_echo_queue(300 + i);
    if (i % 4 == 1) site.set_plugin("odd", {built("odd.so")});
    if (i % 4 == 3) site.remove_plugin("odd");
    site.replace_waiter();
  }
  load.stop();
  const auto after = site.figures();
  // Whatever would have been answered a second time has been, once the host has ended.
  CHECK(site.stop() == 0);
  CHECK(clerk->transport().flush(5s));
  const auto count = static_cast<std::size_t>(rounds());
  check_answered_once(load.echo, count * 4);
  check_answered_once(load.now, count * 2);
  check_answered_once(load.slow, count * 4);
  check_answered_once(load.later, count * 4);
  CHECK(site.count_logged({"replaced its predecessor", "\"waiter\""}) == count + 1);

  const auto mappings = per_round(before.mappings, after.mappings, rounds());
  const auto threads = per_round(before.threads, after.threads, rounds());
  const auto descriptors = per_round(before.descriptors, after.descriptors, rounds());
  WARN("growth per replaced file: " << per_round(before.rss_kb, after.rss_kb, rounds()) << " KiB, " << mappings
                                    << " mappings, " << threads << " threads, " << descriptors << " descriptors; "
                                    << rounds() << " rounds, " << after.rss_kb << " KiB at the end");
  CHECK(threads < 1); // a generation that ends takes its threads along
  // The sealed copy that its code is mapped from stays open. Replaced connections linger for late answers.
  CHECK(after.descriptors <= before.descriptors + count + 6);
}

TEST_CASE("a table that changes again and again takes no more than a second copy of the code") {
  Site site("max_generations = 2\n");
  const auto clerk = site.connect("clerk");
  AnswerLedger ledger(*clerk, "echo", clerk->method(kEcho, "Echo.Say"));
  LedgerLoad load(ledger, R"({"message":"x"})", 4);
  site.set_echo_queue(300);
  site.reload();
  const auto before = site.figures();
  for (int i = 1; i <= rounds(); ++i) {
    site.set_echo_queue(300 + i);
    site.reload();
  }
  const auto after = site.figures();
  load.stop();
  CHECK(ledger.wait_open_below(1, 15s));
  check_answered_once(ledger, 1);
  CHECK(site.count_logged({"replaced its predecessor", "\"echo\""}) == static_cast<std::size_t>(rounds() + 1));
  CHECK(site.count_logged({"reload needs a restart"}) == 0);
  CHECK(after.descriptors <= before.descriptors + 6); // replaced connections linger for late answers
}

TEST_CASE("a plugin that is removed and added again and again uses the copy that it has") {
  Site site("max_generations = 1\n");
  site.set_plugin("odd", {built("odd.so")});
  site.reload();
  const auto before = site.figures();
  for (int i = 0; i < rounds(); ++i) {
    site.remove_plugin("odd");
    site.reload();
    CHECK(site.logged({"plugin removed", "\"odd\""}));
    site.set_plugin("odd", {built("odd.so")});
    site.reload();
  }
  const auto after = site.figures();
  CHECK(site.count_logged({"plugin running", "\"odd\""}) == static_cast<std::size_t>(rounds() + 1));
  CHECK(after.descriptors <= before.descriptors + 6); // replaced connections linger for late answers
  CHECK(site.connect("clerk")->call(kOdd, "Odd.Do", R"({"mode":"plain"})"));
}

TEST_CASE("when max_generations is reached, reload says that a restart is due and everything keeps running") {
  Site site("max_generations = 3\n");
  const auto clerk = site.connect("clerk");
  Everything load(*clerk);
  for (int i = 0; i < 5; ++i)
    site.replace_waiter();
  CHECK(site.count_logged({"replaced its predecessor", "\"waiter\""}) == 2);
  CHECK(site.count_logged({"reload needs a restart", "\"waiter\"", "max_generations"}) >= 1);
  site.set_echo_queue(300); // of others nothing is held back
  site.reload();
  CHECK(site.count_logged({"replaced its predecessor", "\"echo\""}) == 1);
  load.stop();
  check_answered_once(load.echo, 4);
  check_answered_once(load.slow, 4);
  check_answered_once(load.later, 4);
  CHECK(site.stop() == 0);
}
