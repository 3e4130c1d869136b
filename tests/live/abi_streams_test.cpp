// Feeds and events of a plugin that doesn't keep the rules: frames after the end, two ends, frames that break the
// schema, streams that never end, other threads, after stop. handlers_test.cpp does the same with rpcs.
#include "artifact/artifact.h"
#include "live_host.h"
#include "runtime/feed_client.h"
#include "runtime/metrics_testing.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <trellis/plugin.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kStray[] = "test.stray@v1";
constexpr char kHere[] = "isolation = \"none\"\n", kApart[] = "isolation = \"process\"\n"; // must make no difference

struct StrayHost : LiveHost {
  explicit StrayHost(const std::string &lines = {}, const std::string &host_lines = "drain_ms = 1000\n")
      : LiveHost({.host_lines = host_lines}) {
    set_plugin("stray", {.file = built("stray.so"), .lines = lines});
    accept(built("stray.so"));
    set_caller("clerk", {{}, {{kStray, {"*"}}}});
    start();
    clerk = connect("clerk");
  }
  std::unique_ptr<FeedReader> watch(const std::string &mode, const std::string &feed = "Stray.Watch") {
    const auto contract = Artifact::open(built("stray.so")).value().manifest();
    auto method = std::make_shared<const FeedMethod>(compile_feed(contract, feed).value());
    auto reader = std::make_unique<FeedReader>(
        FeedParticipant{clerk->transport(), clerk->key(), [] { return unix_ms_now() / 1000; }}, std::move(method),
        R"({"mode":")" + mode + "\"}", FeedOptions{.resubscribe = false});
    const auto opened = reader->open();
    INFO((opened ? "" : opened.error().envelope.to_json()));
    REQUIRE(opened);
    return reader;
  }
  // The status of publishing that event, or the error.
  std::string tell(const std::string &mode) {
    const auto result = clerk->call(kStray, "Stray.Tell", R"({"mode":")" + mode + "\"}", {.timeout = 10s});
    return result ? *result : error_text(result);
  }
  // "WHAT answered STATUS" in the log.
  bool told(const std::string &what, long status) const {
    return logged({"\"" + what + " answered " + std::to_string(status) + "\""}, 10s);
  }
  PrometheusText metrics() const {
    return PrometheusText(
        run_program({built("trellis").string(), "host", "metrics", "--state-dir", bundle() / "state"}).out);
  }
  std::unique_ptr<Caller> clerk;
};

// The next event of a feed, or why there is none, or "nothing" in that time.
std::string next_of(FeedReader &reader, std::chrono::milliseconds limit = 10s) {
  const auto item = reader.next(FeedReader::Clock::now() + limit);
  if (!item) return "ended: " + item.error().envelope.to_json();
  return item->kind == FeedReader::Kind::event ? item->event : "nothing";
}

constexpr char kNoAck[] = R"({"status":5})"; // a listener is there, and no stream

} // namespace

TEST_CASE("of a stream's ends the first counts, and no frame follows it") {
  StrayHost host;
  const auto failed = host.watch("fail-twice");
  CHECK_THAT(next_of(*failed), ContainsSubstring("told to fail"));
  CHECK(host.told("first fail", 0));
  const auto closed = host.watch("close-twice");
  CHECK(next_of(*closed) == R"({"n":1})");
  CHECK(host.told("first close", 0));
  for (const std::string when : {"after fail", "after close"})
    for (const std::string what : {"emit ", "state ", "fail ", "close "})
      CHECK(host.told(what + when, TRELLIS_E_GONE));
  CHECK(next_of(*closed, 200ms) == "nothing");
}

TEST_CASE("a frame that is none is told to the plugin, reaches nobody, and the stream goes on") {
  StrayHost host;
  const auto reader = host.watch("wrong");
  CHECK(next_of(*reader) == R"({"n":1})");
  for (const std::string what : {"broken schema", "no JSON", "no UTF-8", "nothing", "lying", "huge"})
    CHECK(host.told(what, TRELLIS_E_INVALID));
  CHECK(host.told("state after all that", TRELLIS_OK));
  CHECK(host.told("right", TRELLIS_OK));
  CHECK(host.logged({"output breaks its schema", "\"stray\"", "Stray.Watch"}));
  CHECK(next_of(*reader, 200ms) == "nothing");
}

TEST_CASE("a stream fails with whatever error a plugin has, and its request lives as long as it") {
  StrayHost host;
  for (const std::string mode : {"fail-null", "bad-context", "bad-fields"}) {
    INFO(mode);
    CHECK_THAT(next_of(*host.watch(mode)), ContainsSubstring("UnexpectedError"));
  }
  CHECK(host.told("fail with NULL", TRELLIS_OK));
  CHECK(host.told("malformed fail", TRELLIS_OK));

  const auto whole = host.watch("whole");
  CHECK(next_of(*whole) == R"({"n":1})");
  CHECK(host.told("whole", 1));

  const auto threaded = host.watch("thread");
  CHECK(next_of(*threaded) == R"({"n":1})");
  CHECK(next_of(*threaded) == R"({"n":2})");
  CHECK_THAT(next_of(*threaded), ContainsSubstring("told to fail"));
  CHECK(host.told("request unchanged", 1));
  CHECK(host.told("fail from a thread", TRELLIS_OK));
  CHECK(host.told("close after a thread's fail", TRELLIS_E_GONE));
}

TEST_CASE("when the caller of a stream that never ends leaves, its handler is told, whether it listens or not") {
  StrayHost host("stream_check_ms = 30\n");
  host.watch("never").reset();
  CHECK(host.told("emit to nobody", TRELLIS_E_GONE));
  CHECK(host.told("state of nobody's", TRELLIS_E_GONE));
  CHECK(host.told("cancelled, emit", TRELLIS_E_GONE));
  host.watch("never", "Stray.Deaf").reset(); // its struct ends before the function that cancels
  CHECK(wait_until([&] { return host.count_logged({"emit to nobody answered 2"}) == 2; }));
  CHECK(host.count_logged({"cancelled, emit"}) == 1);
  const auto metrics = host.metrics();
  CHECK(metrics.sum("trellis_feed_streams") == 0);
  CHECK(metrics.sum("trellis_feed_streams_abandoned") == 2);
  CHECK(metrics.sum("trellis_feed_streams_opened_total") == 2);
  CHECK(metrics.sum("trellis_feed_streams_lost_total") == 2);
  CHECK(host.stop() == 0); // though it holds both
  CHECK(host.logged({"didn't close in time", "Stray.Watch"}));
  CHECK(host.logged({"didn't close in time", "Stray.Deaf"}));
}

TEST_CASE("a stream that outlives its plugin's stop is gone") {
  StrayHost host({}, "drain_ms = 300\n");
  const auto reader = host.watch("outlive");
  CHECK(next_of(*reader) == R"({"n":1})");
  CHECK(host.stop() == 0);
  CHECK_THAT(next_of(*reader), ContainsSubstring("trellis.feed.stopping"));
  for (const std::string what : {"emit", "state", "fail", "close"})
    CHECK(host.told(what + " after stop", TRELLIS_E_GONE));
}

TEST_CASE("a feed's or listener's thread that ends costs nothing but that thread") {
  const std::string mode = GENERATE(kHere, kApart);
  INFO(mode);
  StrayHost host(mode + "max_concurrency = 2\nstream_check_ms = 30\n");
  for (int i = 0; i < 4; ++i) {
    CHECK(next_of(*host.watch("exit-thread")) == R"({"n":1})");
    CHECK(host.tell("exit-thread") == kNoAck);
    CHECK(host.tell("plain") == kNoAck);
    CHECK(host.told("heard", 2 * i + 2));
  }
  CHECK(host.stop() == 0);
  CHECK(host.count_logged({"cancelled, emit answered 2"}) == 4); // streams that nobody had closed
}

TEST_CASE("a listener that says anything but OK has failed, in its last words, and hears what comes next") {
  StrayHost host;
  for (const std::string mode : {"status 77", "status -1", "lowest status", "two reports", "null report"})
    CHECK(host.tell(mode) == kNoAck);
  CHECK(host.tell("report and OK") == kNoAck);
  CHECK(host.tell("plain") == kNoAck);
  CHECK(host.told("heard", 7));
  const auto metrics = host.metrics();
  const std::string told = R"(trellis_operation="Stray.Told")";
  CHECK(metrics.sum("trellis_event_consumer_deliveries_total", {told, R"(trellis_mode="ephemeral")"}) == 7);
  CHECK(metrics.sum("trellis_event_publisher_events_total", {told, R"(trellis_outcome="failed")"}) == 7); // no stream
  CHECK(metrics.sum("trellis_errors_total", {told, R"(trellis_direction="consumer")"}) == 5);
  CHECK(host.logged({"the handler of an event failed", "\"stray\"", "Stray.Told", "status 77"}));
  CHECK(host.count_logged({"all is well"}) == 0);

  StrayHost other; // the log tells one failure of a kind in ten seconds
  CHECK(other.tell("two reports") == kNoAck);
  CHECK(other.logged({"the handler of an event failed", "the second words"}));
  CHECK(other.count_logged({"the first words"}) == 0);
}

TEST_CASE("a listener that never returns keeps its worker, and neither its plugin's rpcs nor the host's end") {
  StrayHost host("max_concurrency = 2\n", "drain_ms = 300\n");
  CHECK(host.tell("hang") == kNoAck);
  CHECK(host.tell("plain") == kNoAck); // one at a time: it waits
  CHECK(host.count_logged({"\"heard answered"}) == 0);
  CHECK(host.stop() == 3); // left something behind, and says so
}

TEST_CASE("events are published until the plugin is gone, and each acknowledgement runs once, before that") {
  const std::string mode = GENERATE(kHere, kApart);
  INFO(mode);
  StrayHost host(mode, "drain_ms = 300\n");
  CHECK(host.tell("leave open") == R"({"status":0})");
  CHECK(host.tell("plain") == kNoAck);
  CHECK(host.stop() == 0);
  CHECK(host.told("late publish", TRELLIS_E_UNAVAILABLE));
  CHECK(host.told("replies before destroy", 1));

  StrayHost other(mode, "drain_ms = 300\n");
  CHECK(other.tell("outlive") == R"({"status":0})");
  CHECK(other.stop() == 0);
  CHECK(other.told("prepare after stop", TRELLIS_OK)); // nothing of it needs a connection
  CHECK(other.told("publish after stop", TRELLIS_E_UNAVAILABLE));
  CHECK(other.told("replies after stop", 0));
}
