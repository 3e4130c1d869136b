// Events of plugins: published, listened to live and through a durable group, with the host, the connection and the
// plugin going away in the middle.
#include "contracts/json_write.h"
#include "live_control_plane.h"
#include "live_host.h"
#include "runtime/metrics_testing.h"
#include "support/wait_until.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <sstream>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kContract[] = "test.events@v1";
constexpr char kLiveContract[] = "test.live-events@v1";

// What the plugin's handlers wrote down.
class Journal {
public:
  std::string config() const { return "config = { journal = \"" + (dir_ / "journal").string() + "\" }\n"; }
  std::vector<std::string> lines(const std::string &start = "") const {
    std::vector<std::string> out;
    std::istringstream text(std::filesystem::exists(dir_ / "journal") ? read_file(dir_ / "journal") : "");
    for (std::string line; std::getline(text, line);)
      if (line.starts_with(start)) out.push_back(line);
    return out;
  }
  bool has(const std::string &line, std::chrono::milliseconds limit = 30s) const {
    const auto there = [&] {
      const auto all = lines();
      return std::ranges::find(all, line) != all.end();
    };
    return wait_until(there, limit);
  }
  std::string text() const {
    std::string out;
    for (const auto &line : lines())
      out += line + "\n";
    return out;
  }

private:
  TempDir dir_;
};

std::string said(const std::string &message, const std::string &more = "", const std::string &key = "k1") {
  return R"({"key":")" + key + R"(","message":")" + message + "\"" + more + "}";
}

// A control plane with the plugin, its plan accepted, and somebody who calls it.
struct Site {
  Journal journal;
  LiveControlPlane live;
  std::unique_ptr<Caller> caller;

  explicit Site(const std::string &lines = "") {
    live.set_plugin("events", built("events.so"), deployment() + lines + journal.config());
    live.start();
    live.set_admin_password();
    const auto plane = live.sign_in_operator();
    REQUIRE(live.logged({"plugin pending", "\"events\""}));
    live.accept_plan(*plane, "test.events");
    REQUIRE(live.logged({"consumer group started", "\"ledger\""}, 60s));
    REQUIRE(live.logged({"plugin running", "\"events\""}));
    connect();
  }

  static std::string deployment() { return "deployment = \"test.events\"\n"; }

  void connect() {
    caller = live.connect(live.sign_in(
        caller_contract("test.events-caller@v1", kContract, {"Events.Publish", "Events.Raw", "Events.Foreign"})));
  }
  // A stubborn client: until it is answered.
  bool publish(const std::string &message) {
    return wait_until([&] { return call("Events.Publish", said(message)).has_value(); }, 60s);
  }
  CallResult call(const std::string &rpc, const std::string &input) {
    return caller->call(kContract, rpc, input, {.timeout = 3s});
  }
};

std::string cause_of(const CallResult &result) {
  return result ? "it succeeded: " + *result : error_text(result);
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("an rpc's event reaches live listeners and the durable group, which retries after its backoff") {
  Site site;
  auto &journal = site.journal;
  CHECK(site.live.logged({"event listener not started", "\"idle\"", "Test.Ignored"}));

  const auto first = site.call("Events.Publish", said("a"));
  INFO(cause_of(first));
  REQUIRE(first);
  CHECK(contains(*first, R"("stream":"trellis")"));
  CHECK(contains(*first, R"("subject":"events.v1.Test.Ticked.k1")"));
  CHECK(journal.has("live a events.v1.Test.Ticked.k1"));
  CHECK(journal.has("done a 1"));
  CHECK(journal.lines("only-k2").empty());
  REQUIRE(site.call("Events.Publish", said("b", "", "k2")));
  CHECK(journal.has("only-k2 b"));

  // Fails once: comes again, after the backoff and not at once.
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(site.call("Events.Publish", said("once-c")));
  CHECK(journal.has("done once-c 2"));
  CHECK(std::chrono::steady_clock::now() - begun >= 2s);

  // Fails for ever: given up after max_deliver, said, and the next one is handled.
  REQUIRE(site.call("Events.Publish", said("fail-d")));
  REQUIRE(site.call("Events.Publish", said("e")));
  CHECK(journal.has("done e 1"));
  CHECK(journal.lines("begin fail-d") ==
        std::vector<std::string>{"begin fail-d 1", "begin fail-d 2", "begin fail-d 3"});
  CHECK(site.live.logged({"event given up", "\"ledger\""}));
  CHECK(site.live.logged({"the handler of an event failed", "told to fail by"}));

  // Takes longer than the consumer's ack deadline, and is still delivered once.
  REQUIRE(site.call("Events.Publish", said("slow-f")));
  REQUIRE(site.call("Events.Publish", said("g")));
  CHECK(journal.has("done g 1"));
  CHECK(journal.lines("begin slow-f").size() == 1);
  INFO(journal.text());
  CHECK(wait_until([&] { return journal.lines("live ").size() >= 7; }));
  CHECK(journal.lines("live ").size() == 7);

  const auto count = [&](const std::string &name, const std::set<std::string> &labels) {
    const auto printed = run_program({built("trellis").string(), "host", "metrics", "--state-dir",
                                      site.live.control_socket().parent_path().string()});
    return PrometheusText(printed.out).sum("trellis_event_" + name + "_total", labels);
  };
  const std::string ledger = R"(trellis_group="ledger")", ticked = R"(trellis_operation="Test.Ticked")";
  CHECK(wait_until([&] { return count("consumer_acks", {ledger, R"(trellis_outcome="ack")"}) == 6; }));
  CHECK(count("consumer_acks", {ledger, ticked, R"(trellis_outcome="nak")"}) == 4); // once-c, and fail-d to the end
  CHECK(count("consumer_acks", {ledger, ticked, R"(trellis_outcome="term")"}) == 0);
  CHECK(count("consumer_deliveries", {ledger, ticked, R"(trellis_mode="durable")"}) == 10);
  CHECK(count("consumer_deliveries", {ticked, R"(trellis_mode="ephemeral")"}) == 8); // one of two listeners wants k2
  CHECK(count("publisher_events", {ticked, R"(trellis_outcome="ok")"}) == 7);
}

TEST_CASE("what can't be published fails with the reason, and an event that breaks its schema is skipped") {
  Site site;
  const auto broken = site.call("Events.Publish", R"({"key":"k1","message":7})");
  CHECK(contains(cause_of(broken), "the payload breaks the event's schema"));
  const auto keyless = site.call("Events.Foreign", "{}");
  CHECK(contains(cause_of(keyless), "neither owns this event nor uses it to publish"));
  const auto large = site.call("Events.Publish", said("large", R"(,"padding":2000000)"));
  CHECK(contains(cause_of(large), "status 6"));
  const auto denied = site.call("Events.Raw", R"({"event":"X","subject":"events.v1.Foreign","encodedPayload":"{}",)"
                                              R"("headers":{"Nats-Msg-Id":"x1"}})");
  CHECK(contains(cause_of(denied), "status 3"));

  // Past our own check, as a stranger would: both kinds of listeners skip it, and go on.
  const auto raw = site.call("Events.Raw", R"({"event":"Test.Ticked","subject":"events.v1.Test.Ticked.k1",)"
                                           R"("encodedPayload":"{\"message\":3}","headers":{"Nats-Msg-Id":"x2"}})");
  INFO(cause_of(raw));
  CHECK(raw);
  REQUIRE(site.publish("after"));
  CHECK(site.journal.has("done after 1"));
  CHECK(site.live.logged({"event skipped", "Test.Ticked"}));
}

TEST_CASE("a durable event survives the host's kill in the middle of its handler, and NATS's") {
  Site site;
  REQUIRE(site.publish("slow-a"));
  REQUIRE(site.journal.has("begin slow-a 1"));
  site.live.kill();
  site.live.start();
  CHECK(site.journal.has("done slow-a 2", 60s));

  site.connect();
  REQUIRE(site.publish("slow-b"));
  REQUIRE(site.journal.has("begin slow-b 1"));
  site.live.nats().kill();
  site.live.nats().start();
  REQUIRE(site.publish("c"));
  // Well before a pull without answer would be given up (32 s).
  CHECK(site.journal.has("done c 1", 20s));
  INFO(site.journal.text());
  CHECK(!site.journal.lines("done slow-b").empty());
}

TEST_CASE("replacing the plugin again and again loses no durable event, repeats none and keeps their order") {
  Site site("max_concurrency = 4\n");
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    for (int n = 0; n < 10; ++n) {
      const auto message = "m" + std::to_string(i) + "-" + std::to_string(n);
      REQUIRE(site.publish(message));
      expected.push_back("done " + message + " 1");
    }
    const auto replaced = site.live.count_logged({"plugin running", "\"events\"", "replaced its predecessor"});
    site.live.set_plugin("events", built("events.so"),
                         Site::deployment() + "queue = " + std::to_string(300 + i) + "\n" + site.journal.config());
    site.live.write_config();
    site.live.process().signal(SIGHUP);
    REQUIRE(wait_until(
        [&] {
          return site.live.count_logged({"plugin running", "\"events\"", "replaced its predecessor"}) > replaced;
        },
        60s));
  }
  CHECK(wait_until([&] { return site.journal.lines("done").size() >= expected.size(); }, 30s));
  CHECK(site.journal.lines("done") == expected);
  CHECK(site.live.stop() == 0);
}

TEST_CASE("without the event stream a publish fails, although live listeners hear it") {
  Journal journal;
  LiveHost host;
  host.set_plugin("events", {.file = built("live-events.so"), .lines = journal.config()});
  host.accept(built("live-events.so"));
  host.set_caller("clerk", {{}, {{kLiveContract, {"*"}}}});
  host.start();
  const auto clerk = host.connect("clerk");
  const auto result = clerk->call(kLiveContract, "Events.Publish", said("a"), {.timeout = 10s});
  REQUIRE(!result);
  INFO(cause_of(result));
  // A listener of the same subject is there, so the server doesn't say that nobody is: the acknowledgement is missing.
  CHECK((contains(cause_of(result), "status 4") || contains(cause_of(result), "status 5")));
  CHECK(journal.has("live a events.v1.Test.Ticked.k1"));
}
