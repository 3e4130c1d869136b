// Feeds on a real host: open, events, errors, dead subscribers, limits, replaced copies, lost and expiring connections.
#include "artifact/artifact.h"
#include "contracts/json_write.h"
#include "live_control_plane.h"
#include "live_host.h"
#include "load.h"
#include "runtime/feed_client.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Kind = FeedReader::Kind;

namespace {

constexpr char kFeeder[] = "test.feeder@v1";

FeedReader::Clock::time_point in(std::chrono::milliseconds time) {
  return FeedReader::Clock::now() + time;
}

Manifest contract_of(const std::string &plugin) {
  return Artifact::open(built(plugin)).value().manifest();
}

std::unique_ptr<FeedReader> reader_of(Caller &caller, const std::string &feed, const std::string &input,
                                      const FeedOptions &options = {}, const std::string &plugin = "feeder.so") {
  auto method = std::make_shared<const FeedMethod>(compile_feed(contract_of(plugin), feed).value());
  return std::make_unique<FeedReader>(
      FeedParticipant{caller.transport(), caller.key(), [] { return unix_ms_now() / 1000; }}, std::move(method), input,
      options);
}

// The next event's text, or what came instead of it.
std::string next_of(FeedReader &reader, std::chrono::milliseconds limit = 20s) {
  const auto item = reader.next(in(limit));
  if (!item) return "ended: " + item.error().envelope.to_json();
  if (item->kind == Kind::event) return item->event;
  return item->kind == Kind::resubscribed ? "resubscribed" : "nothing";
}

std::string say(Caller &caller, const std::string &text) {
  const auto told = caller.call(kFeeder, "Feeder.Say", R"({"room":"hall","text":")" + text + R"("})", {.timeout = 10s});
  return told ? *told : error_text(told);
}

std::int64_t stat(Caller &caller, const char *name) {
  const auto stats = caller.call(kFeeder, "Feeder.Stats", "{}", {.timeout = 10s});
  return stats ? find_member(parse_json(*stats).value(), name)->GetInt64() : -1;
}

// A stream that the handler knows: the ready frame comes before it does (06 §7.2).
std::unique_ptr<FeedReader> listen(Caller &caller, const FeedOptions &options = {}) {
  const auto before = stat(caller, "joined");
  REQUIRE(before >= 0);
  auto reader = reader_of(caller, "Feeder.Listen", R"({"room":"hall"})", options);
  const auto opened = reader->open();
  INFO((opened ? "" : opened.error().envelope.to_json()));
  REQUIRE(opened);
  REQUIRE(wait_until([&] { return stat(caller, "joined") > before; }));
  return reader;
}

struct FeederHost : LiveHost {
  explicit FeederHost(const std::string &lines = "", std::chrono::seconds jwt_life = 3600s)
      : LiveHost({.jwt_life = jwt_life, .host_lines = "drain_ms = 2000\nlog_level = \"debug\"\n"}) {
    set_plugin("feeder", {.file = built("feeder.so"), .lines = lines});
    set_plugin("keeper", {.file = built("keeper.so"), .lines = lines});
    accept(built("feeder.so"));
    accept(built("keeper.so"));
    set_caller("clerk", {{}, {{kFeeder, {"*"}}, {"test.keeper@v1", {"*"}}}});
    start();
  }
};

} // namespace

TEST_CASE("subscribers get what the handler emits, and an event that breaks its schema reaches nobody") {
  FeederHost host;
  const auto clerk = host.connect("clerk");
  const auto one = listen(*clerk), other = listen(*clerk);
  CHECK(say(*clerk, "hello") == R"({"sent":2,"gone":0,"busy":0,"refused":0})");
  CHECK(next_of(*one) == R"({"text":"hello"})");
  CHECK(next_of(*other) == R"({"text":"hello"})");
  // The host asks NATS for a second connection, and only for plugins with feeds.
  CHECK(host.count_logged({"\"connected\"", "\"feeder\"", "\"stream\""}) == 1);

  const auto kept = reader_of(*clerk, "Keeper.Keep", "{}", {}, "keeper.so");
  REQUIRE(kept->open());
  CHECK(next_of(*kept) == R"({"kept":true})");
  CHECK(next_of(*kept, 200ms) == "nothing");
  CHECK(host.logged({"keeper: open 0"}));
  CHECK(host.logged({"keeper: wrong 1"}));
  CHECK(host.logged({"keeper: made up 2"}));
}

TEST_CASE("a handler's error ends the stream, and whoever may not subscribe is told why") {
  FeederHost host;
  const auto clerk = host.connect("clerk");
  const auto failing = reader_of(*clerk, "Feeder.Fails", R"({"room":"hall"})");
  REQUIRE(failing->open());
  CHECK(next_of(*failing) == R"({"text":"one"})");
  const auto end = next_of(*failing);
  CHECK_THAT(end, ContainsSubstring("trellis.feed.failed"));
  CHECK_THAT(end, ContainsSubstring("KVError"));

  const auto gated = reader_of(*clerk, "Feeder.Gated", R"({"room":"hall"})");
  const auto refused = gated->open();
  REQUIRE(!refused);
  CHECK_THAT(refused.error().envelope.to_json(), ContainsSubstring("insufficient_permissions"));
}

TEST_CASE("the handler of a subscriber that is gone is cancelled at an event, once") {
  FeederHost host("stream_check_ms = 50\n");
  const auto clerk = host.connect("clerk");
  listen(*clerk).reset();
  const auto alive = listen(*clerk);
  REQUIRE(stat(*clerk, "open") == 2);
  CHECK(wait_until([&] { return say(*clerk, "anybody?") == R"({"sent":1,"gone":0,"busy":0,"refused":0})"; }, 10s));
  CHECK(stat(*clerk, "cancelled") == 1);
  CHECK(next_of(*alive) == R"({"text":"anybody?"})");
}

TEST_CASE("one caller can't have more streams than the limit") {
  FeederHost host("max_streams_per_caller = 2\n");
  const auto clerk = host.connect("clerk");
  const auto first = listen(*clerk), second = listen(*clerk);
  const auto third = reader_of(*clerk, "Feeder.Listen", R"({"room":"hall"})");
  const auto refused = third->open();
  REQUIRE(!refused);
  CHECK_THAT(refused.error().envelope.to_json(), ContainsSubstring("trellis.feed.too_many_streams"));
  CHECK(host.logged({"too many open streams", "Feeder.Listen"}));
}

TEST_CASE("a caller at its limit gets the place of a stream that it closed") {
  FeederHost host("stream_check_ms = 1000\nmax_streams_per_caller = 2\n");
  const auto clerk = host.connect("clerk");
  auto first = listen(*clerk);
  const auto second = listen(*clerk);
  first.reset();
  CHECK(wait_until([&] { return say(*clerk, "x") == R"({"sent":1,"gone":0,"busy":0,"refused":0})"; }, 20s));
  CHECK(reader_of(*clerk, "Feeder.Listen", R"({"room":"hall"})")->open());
}

TEST_CASE("a blocking handler runs until its subscriber is gone, and never on a worker") {
  FeederHost host("stream_check_ms = 50\nmax_concurrency = 1\n");
  const auto clerk = host.connect("clerk");
  auto one = reader_of(*clerk, "Feeder.Count", R"({"from":5})"),
       other = reader_of(*clerk, "Feeder.Count", R"({"from":1})");
  REQUIRE(one->open());
  REQUIRE(other->open());
  CHECK(next_of(*one) == R"({"n":5})");
  CHECK(next_of(*one) == R"({"n":6})");
  CHECK(next_of(*other) == R"({"n":1})");
  CHECK(stat(*clerk, "open") == 0); // the only worker is free

  const auto third = reader_of(*clerk, "Feeder.Count", R"({"from":1})");
  REQUIRE(third->open());
  CHECK_THAT(next_of(*third), ContainsSubstring("trellis.feed.too_many_streams")); // both threads are taken
  one.reset();
  CHECK(wait_until(
      [&] {
        const auto again = reader_of(*clerk, "Feeder.Count", R"({"from":7})");
        return again->open() && next_of(*again) == R"({"n":7})";
      },
      10s));
}

TEST_CASE("a flood of rpcs doesn't delay the events of open streams") {
  FeederHost host("max_concurrency = 2\nqueue = 4\n");
  const auto clerk = host.connect("clerk");
  const auto counting = reader_of(*clerk, "Feeder.Count", R"({"from":0})");
  REQUIRE(counting->open());
  const auto sleep = clerk->method(kFeeder, "Feeder.Sleep");
  std::atomic<int> answered = 0;
  for (int i = 0; i < 200; ++i)
    clerk->client().call(sleep, R"({"n":2000})", {.timeout = 20s}, [&](const CallResult &) { ++answered; });
  const auto started = FeedReader::Clock::now();
  for (int i = 0; i < 50; ++i)
    CHECK_THAT(next_of(*counting), ContainsSubstring(R"({"n":)"));
  CHECK(FeedReader::Clock::now() - started < 5s); // 10 ms apart; the workers sleep all the time
  CHECK(wait_until([&] { return answered == 200; }, 60s));
}

TEST_CASE(
    "when another copy takes over, readers go on there; those that don't are told, and their handlers cancelled") {
  FeederHost host;
  const auto clerk = host.connect("clerk");
  const auto faithful = listen(*clerk), plain = listen(*clerk, {.resubscribe = false});
  const auto kept = reader_of(*clerk, "Keeper.Keep", "{}", {.resubscribe = false}, "keeper.so");
  REQUIRE(kept->open());
  CHECK(next_of(*kept) == R"({"kept":true})");

  host.set_plugin("feeder", {.file = built("feeder.so"), .lines = "max_concurrency = 4\n"});
  host.set_plugin("keeper", {.file = built("keeper.so"), .lines = "max_concurrency = 4\ndeadline_ms = 1000\n"});
  host.reload();
  CHECK(next_of(*faithful) == "resubscribed");
  CHECK_THAT(next_of(*plain), ContainsSubstring("trellis.feed.stopping"));
  CHECK(wait_until([&] { return say(*clerk, "again") == R"({"sent":1,"gone":0,"busy":0,"refused":0})"; }, 10s));
  CHECK(next_of(*faithful) == R"({"text":"again"})");

  CHECK_THAT(next_of(*kept), ContainsSubstring("trellis.feed.stopping"));
  CHECK(host.logged({"keeper: cancelled 2"}));
  CHECK(host.logged({"didn't close in time", "Keeper.Keep"}, 40s));
  CHECK(host.count_logged({"keeper: cancelled"}) == 1);
}

TEST_CASE("when the connection is lost, handlers are cancelled and readers subscribe again") {
  FeederHost host;
  const auto clerk = host.connect("clerk");
  const auto reader = listen(*clerk);
  host.nats().restart();
  CHECK(next_of(*reader, 30s) == "resubscribed");
  CHECK(wait_until([&] { return stat(*clerk, "cancelled") == 1 && stat(*clerk, "open") == 1; }, 20s));
  CHECK(say(*clerk, "back") == R"({"sent":1,"gone":0,"busy":0,"refused":0})");
  CHECK(next_of(*reader) == R"({"text":"back"})");
}

TEST_CASE("with JWTs of 20 seconds a stream outlives the rotation, and the reader the end of its connection") {
  FeederHost host("", 20s);
  const auto clerk = host.connect("clerk");
  const auto reader = listen(*clerk);
  // The stream connection was replaced (at 80 %), and the stream is still on the old one.
  REQUIRE(wait_until([&] { return host.count_logged({"credentials issued", "\"stream\"", "\"feeder\""}) >= 2; }, 25s));
  CHECK(say(*clerk, "still there") == R"({"sent":1,"gone":0,"busy":0,"refused":0})");
  CHECK(next_of(*reader) == R"({"text":"still there"})");
  CHECK(stat(*clerk, "cancelled") == 0);

  auto next = next_of(*reader, 20s);
  // The reader's own connection rotates too: for a round trip a frame may come from both (sdk/nats/nats_transport.h).
  if (next == R"({"text":"still there"})") next = next_of(*reader, 20s);
  CHECK(next == "resubscribed"); // told before the JWT expired
  CHECK(wait_until([&] { return stat(*clerk, "cancelled") == 1; }, 10s));
  CHECK(say(*clerk, "and after") == R"({"sent":1,"gone":0,"busy":0,"refused":0})");
  CHECK(next_of(*reader) == R"({"text":"and after"})");
  CHECK(host.stop() == 0);
}

TEST_CASE("a control plane grants feeds, and its stream connection the right to send for as long as its JWT lives") {
  LiveControlPlane live;
  live.set_plugin("feeder", built("feeder.so"));
  live.start();
  REQUIRE(live.logged({"plugin pending", "\"feeder\""}));
  live.set_admin_password();
  const auto plane = live.sign_in_operator();
  live.accept_plan(*plane, "feeder");
  REQUIRE(live.logged({"plugin running", "\"feeder\""}));

  const auto session = live.sign_in(R"({"format":"trellis.contract.v1","id":"test.listener@v1","kind":"agent",
    "displayName":"Listener","description":"Listens.","uses":{"required":{"feeder":{"contract":"test.feeder@v1",
    "feeds":{"subscribe":["Feeder.Listen"]},"rpc":{"call":["Feeder.Say","Feeder.Stats"]}}}}})");
  const auto caller = live.connect(session);
  const auto reader = listen(*caller);
  CHECK(say(*caller, "one") == R"({"sent":1,"gone":0,"busy":0,"refused":0})");
  CHECK(say(*caller, "two") == R"({"sent":1,"gone":0,"busy":0,"refused":0})"); // an rpc connection could answer once
  CHECK(next_of(*reader) == R"({"text":"one"})");
  CHECK(next_of(*reader) == R"({"text":"two"})");
  CHECK(live.stop() == 0);
}
