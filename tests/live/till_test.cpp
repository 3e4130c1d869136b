// Events, feeds, health and metrics of the same service in C, C++, Rust and Go (examples/till*): one contract, one
// behaviour, in the host's process and in one of its own. Each check runs against all of them.
//
// One control plane for all: each edition takes over from the one before, as when a team writes its service anew in
// another language. An installation for each would take most of the time.
#include "account_watcher.h"
#include "artifact/artifact.h"
#include "contracts/canonical.h"
#include "contracts/json.h"
#include "live_control_plane.h"
#include "runtime/feed_client.h"
#include "runtime/metrics_testing.h"
#include "support/wait_until.h"
#include "wire/health_report.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <filesystem>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

constexpr char kTill[] = "acme.till@v1";
constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Edition {
  std::string file;
  std::string isolation; // "none", "process"; "": what the host chooses
};

// A control plane with a till, its plan accepted, somebody who calls it, and somebody who sees everything.
struct Market {
  LiveControlPlane live{{.host_lines = "health_interval_ms = 200\n"}};
  std::unique_ptr<NatsTransport> watcher;
  std::unique_ptr<Caller> clerk;

  explicit Market(const Edition &first) {
    // A plugin with a user of its own reaches its folder.
    std::filesystem::permissions(live.bundle().parent_path(), std::filesystem::perms(0711));
    std::filesystem::permissions(live.bundle(), std::filesystem::perms(0711));
    set(first);
    live.start();
    live.set_admin_password();
    const auto plane = live.sign_in_operator();
    REQUIRE(live.logged({"plugin pending", "\"till\""}));
    live.accept_plan(*plane, "acme.till");
    REQUIRE(live.logged({"consumer group started", "\"books\""}, 60s));
    REQUIRE(live.logged({"plugin running", "\"till\""}));
    watcher = watch_account(live.loop(), live.nats().url(), live.bundle());
    clerk = live.connect(live.sign_in(R"({"format":"trellis.contract.v1","id":"test.clerk@v1","kind":"agent",
      "displayName":"Clerk","description":"Sells and watches.","uses":{"required":{"till":{"contract":"acme.till@v1",
      "rpc":{"call":["Till.Sell","Till.Booked","Till.Health"]},"feeds":{"subscribe":["Till.Watch"]}}}}})"));
  }

  void set(const Edition &edition) {
    const auto isolation = edition.isolation.empty() ? "" : "isolation = \"" + edition.isolation + "\"\n";
    live.set_plugin("till", built(edition.file),
                    "deployment = \"acme.till\"\nstream_check_ms = 50\n" + isolation +
                        "[plugins.till.config]\nbroken_sku = \"glass\"\nbroken_drawer = true\n");
  }
  // Another copy takes over.
  void replace(const Edition &edition) {
    const auto replaced = [&] { return live.count_logged({"plugin running", "\"till\"", "replaced its predecessor"}); };
    const auto before = replaced();
    set(edition);
    live.write_config();
    live.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return replaced() > before; }, 60s));
  }

  CallResult call(const std::string &rpc, const std::string &input, CallOptions options = {}) {
    options.timeout = 10s;
    return clerk->call(kTill, rpc, input, options);
  }
  // The receipt.
  std::string sell(const std::string &sku, int quantity, CallOptions options = {}) {
    const auto sold = call("Till.Sell", R"({"quantity":)" + std::to_string(quantity) + R"(,"sku":")" + sku + "\"}",
                           std::move(options));
    INFO(error_text(sold));
    REQUIRE(sold);
    return std::string(string_member(parse_json(*sold).value(), "id"));
  }
  bool is_booked(const std::string &sku, int quantity) {
    const auto expected = R"({"quantity":)" + std::to_string(quantity) + "}";
    return wait_until([&] { return call("Till.Booked", R"({"sku":")" + sku + "\"}") == expected; });
  }
  std::unique_ptr<FeedReader> reader(const std::string &input) {
    auto method = std::make_shared<const FeedMethod>(
        compile_feed(Artifact::open(built("till-c.so")).value().manifest(), "Till.Watch").value());
    return std::make_unique<FeedReader>(
        FeedParticipant{clerk->transport(), clerk->key(), [] { return unix_ms_now() / 1000; }}, std::move(method),
        input);
  }
  HealthReport health() { return parse_health_report(call("Till.Health", "{}").value()).value(); }
  // Waits until the till's heartbeats say so; sells meanwhile, because a subscriber that is gone is found out at
  // events.
  bool has_watchers(int number) {
    const auto info = R"({"watchers":)" + std::to_string(number) + "}";
    Tap beats(*watcher, kHeartbeatSubject);
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < until) {
      sell("air", 1);
      const auto beat = parse_health_heartbeat(beats.next().payload);
      if (beat && beat->service.name == "till" && beat->service.info == info) return true;
    }
    return false;
  }
  PrometheusText metrics() {
    const auto printed = run_program(
        {built("trellis").string(), "host", "metrics", "--state-dir", live.control_socket().parent_path().string()});
    INFO(printed.err);
    REQUIRE(printed.status == 0);
    return PrometheusText(printed.out);
  }
};

// The next event with its members in order, or what came instead of it. A single air isn't looked at: nobody knows how
// often that was sold.
std::string next_of(FeedReader &reader) {
  for (;;) {
    const auto item = reader.next(FeedReader::Clock::now() + 20s);
    if (!item) return "ended: " + item.error().envelope.to_json();
    if (item->kind == FeedReader::Kind::resubscribed) return "resubscribed";
    if (item->kind != FeedReader::Kind::event) return "nothing";
    auto event = canonical_json(parse_json(item->event).value()).value();
    if (event != R"({"quantity":1,"sku":"air"})") return event;
  }
}

const HealthCheck &check_of(const HealthReport &report, const std::string &name) {
  for (const auto &check : report.checks)
    if (check.name == name) return check;
  throw std::runtime_error("no check " + name);
}

// Waits: a check that is being run for a heartbeat has "no answer" yet.
bool fails(Market &market, const std::string &check, const std::string &error) {
  return wait_until([&] {
    const auto health = market.health();
    return check_of(health, check).error.value_or("").find(error) != std::string::npos;
  });
}

// Published with the request's trace, booked by the group, shown live, and counted.
void check_events_and_metrics(Market &market, FeedReader &all) {
  const auto before = market.metrics();
  Tap tap(*market.watcher, "events.v1.Till.Sold.bolt");
  CallOptions traced;
  traced.traceparent = kTraceparent;
  const auto receipt = market.sell("bolt", 2, traced);
  const auto event = tap.next();
  const auto payload = parse_json(event.payload).value();
  CHECK(string_member(payload, "sku") == "bolt");
  CHECK(find_member(payload, "quantity")->GetInt() == 2);
  CHECK(string_member(*find_member(payload, "header"), "id") == receipt);
  CHECK(event.header("Nats-Msg-Id") == receipt);
  CHECK(event.header("traceparent") == kTraceparent);

  market.sell(R"(odd \"\u00e9.*)", 10);
  market.sell("bolt", 1);
  CHECK(market.is_booked("bolt", 3));
  CHECK(market.is_booked(R"(odd \"\u00e9.*)", 10));
  CHECK(market.is_booked("nut", 0));

  CHECK(next_of(all) == R"({"quantity":2,"sku":"bolt"})");
  CHECK(next_of(all) == R"({"quantity":10,"sku":"odd \"é.*"})");
  CHECK(next_of(all) == R"({"quantity":1,"sku":"bolt"})");

  const auto after = market.metrics();
  const auto counted = [&](const std::string &basket) {
    const std::set<std::string> labels = {R"(plugin="till")", "basket=\"" + basket + "\""};
    return after.sum("till_items_total", labels) - before.sum("till_items_total", labels);
  };
  CHECK(counted("small") == 3);
  CHECK(counted("large") == 10);
}

// One check is fine, the other one panics or throws.
void check_health(Market &market) {
  CHECK(fails(market, "drawer", "the drawer is stuck"));
  const auto unwell = market.health();
  CHECK(unwell.service == "till");
  CHECK(unwell.status == HealthStatus::degraded);
  CHECK(unwell.checks.size() == 3); // the third is the host's own
  CHECK(check_of(unwell, "books").summary == "3 articles sold");
}

// `all` watches everything, and goes on watching.
void check_feeds(Market &market, FeedReader &all) {
  auto one = market.reader(R"({"sku":"air"})");
  REQUIRE(one->open());
  CHECK(market.has_watchers(2));
  market.sell("bolt", 1);
  market.sell("air", 4);
  CHECK(next_of(all) == R"({"quantity":1,"sku":"bolt"})");
  CHECK(next_of(all) == R"({"quantity":4,"sku":"air"})");
  CHECK(next_of(*one) == R"({"quantity":4,"sku":"air"})");
  one.reset();
  CHECK(market.has_watchers(1)); // the plugin lets go of the stream
}

// What the host answered the stream about a durable event. That a handler is still at work isn't looked at.
std::string answer_of(Tap &answers) {
  auto payload = answers.next().payload;
  while (payload == "+WPI")
    payload = answers.next().payload;
  return payload;
}

// Handlers that panic, throw or give up.
void check_broken(Market &market, FeedReader &all) {
  Tap answers(*market.watcher, "$JS.ACK.trellis.>");
  market.sell("glass", 1);
  market.sell("cork", 1);
  // The group gets it again, up to its maxDeliver, and goes on; the live listener goes on at once.
  auto answer = answer_of(answers);
  while (answer == "+ACK") // of what was sold before
    answer = answer_of(answers);
  CHECK_THAT(answer, StartsWith("-NAK {\"delay\""));
  CHECK_THAT(answer_of(answers), StartsWith("-NAK {\"delay\""));
  CHECK(answer_of(answers) == "-NAK");
  CHECK(answer_of(answers) == "+ACK");
  CHECK(next_of(all) == R"({"quantity":1,"sku":"cork"})");
  CHECK(market.is_booked("cork", 1));
  CHECK(market.is_booked("glass", 0));

  const auto failing = market.reader(R"({"sku":"glass"})");
  REQUIRE(failing->open());
  CHECK_THAT(next_of(*failing), ContainsSubstring("trellis.feed.failed") && ContainsSubstring("UnexpectedError"));

  CHECK(fails(market, "books", "a sale of glass couldn't be booked"));
}

} // namespace

TEST_CASE("a till publishes, listens, feeds, counts and says how it is, the same in each language and in each mode") {
  const Edition editions[] = {{"till-c.so", ""},           {"till.so", ""},
                              {"till-rust.so", ""},        {"till-go.so", "none"}, // in the host's process
                              {"till-rust.so", "process"}, {"till-go.so", ""}};    // in one of its own
  Market market(editions[0]);
  const auto all = market.reader("{}");
  REQUIRE(all->open());
  for (const auto &edition : editions) {
    INFO(edition.file << " isolation " << edition.isolation);
    if (&edition != editions) {
      market.replace(edition);
      CHECK(next_of(*all) == "resubscribed"); // streams go on at the copy that takes over
    }
    CHECK(market.has_watchers(1));
    check_events_and_metrics(market, *all);
    check_health(market);
    check_feeds(market, *all);
    check_broken(market, *all);
  }
  CHECK(market.live.stop() == 0);
  CHECK(market.live.count_logged({"didn't close in time"}) == 0);
  CHECK(market.live.count_logged({"the plugin's process ended"}) == 0); // no crash
}
