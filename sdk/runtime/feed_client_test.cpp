// A reader of feeds against a Transport that is played here: frames when the test says so.
#include "runtime/feed_client.h"
#include "runtime/feed_service.h"
#include "runtime/rpc_fixture.h"
#include <catch2/catch_test_macros.hpp>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Kind = FeedReader::Kind;

namespace {

// Each subscription is answered at once with the next list of frames.
class PlayedService : public ScriptedTransport {
public:
  using Frames = std::vector<FakeMessage>;
  std::vector<Frames> answers;
  std::size_t subscriptions = 0;
  bool connected = true;

  Result<void> publish(const Outbound &) override {
    if (!connected) return fail(transport_error::kClosed, "feed", "not connected");
    const auto now = subscriptions++;
    if (now < answers.size())
      for (auto &frame : answers[now])
        deliver(frame);
    return {};
  }
  Result<std::unique_ptr<Subscription>> subscribe(std::string, std::string, OnMessage on_message) override {
    on_message_ = std::move(on_message);
    return std::make_unique<Ended>();
  }
  std::unique_ptr<Listener> on_restored(std::function<void()> restored) override {
    restored_ = std::move(restored);
    return std::make_unique<Listener>();
  }
  void deliver(const FakeMessage &frame) { on_message_(to_message(frame)); }
  void restore() { restored_(); }

private:
  struct Ended : Subscription {
    void drain(std::function<void()> done) override { done(); }
  };
  OnMessage on_message_;
  std::function<void()> restored_;
};

FakeMessage frame(std::string payload, Headers headers = {}) {
  FakeMessage message;
  message.payload_text = std::move(payload);
  message.header_list = std::move(headers);
  return message;
}
FakeMessage ready() {
  return frame("", {{"feed-status", "ready"}});
}
FakeMessage error(std::string payload) {
  return frame(std::move(payload), {{"status", "error"}});
}

std::shared_ptr<const FeedMethod> feed() {
  auto method = std::make_shared<FeedMethod>();
  method->name = "Orders.Watch";
  method->subject = "feeds.v1.Orders.Watch";
  method->input = schema_of(R"({"type":"object"})");
  method->event = schema_of(R"({"type":"object","required":["n"]})");
  return method;
}

struct Reading {
  explicit Reading(std::vector<PlayedService::Frames> answers, FeedOptions options = {}) {
    service.answers = std::move(answers);
    options.pause_min = 1ms;
    options.pause_max = 2ms;
    if (options.timeout == 3000ms) options.timeout = 50ms;
    reader.emplace(FeedParticipant{service, key, [] { return kNow; }}, feed(), "{}", std::move(options));
  }
  std::string next(std::chrono::milliseconds limit = 5s) {
    const auto item = reader->next(FeedReader::Clock::now() + limit);
    if (!item) return item.error().envelope.type + " " + item.error().envelope.code();
    return item->kind == Kind::event ? item->event : item->kind == Kind::resubscribed ? "resubscribed" : "nothing";
  }
  PlayedService service;
  SessionKey key = SessionKey::generate();
  std::optional<FeedReader> reader;
};

} // namespace

TEST_CASE("an input that the feed doesn't take is refused without sending anything") {
  Reading reading({});
  FeedReader wrong({reading.service, reading.key, [] { return kNow; }}, feed(), "[]");
  CHECK(wrong.open().error().envelope.type == "ValidationError");
  CHECK(reading.service.subscriptions == 0);
}

TEST_CASE("without a connection a subscription fails at once") {
  Reading reading({});
  reading.service.connected = false;
  CHECK(reading.reader->open().error().envelope.code() == feed_error::kSubscribeFailed);
}

TEST_CASE("a quiet stream is open, and its events come in order") {
  Reading reading({{ready()}});
  REQUIRE(reading.reader->open());
  CHECK(reading.next(1ms) == "nothing");
  reading.service.deliver(frame(R"({"n":1})"));
  reading.service.deliver(frame(R"({"n":2})"));
  CHECK(reading.next() == R"({"n":1})");
  CHECK(reading.next() == R"({"n":2})");
}

TEST_CASE("the server's frame for nobody opens the stream and ends it at the first read") {
  Reading reading({{frame("")}});
  REQUIRE(reading.reader->open());
  CHECK(reading.next() == "UnexpectedError ");
  CHECK(reading.next() == "UnexpectedError "); // and stays so
}

TEST_CASE("after a lost connection the reader subscribes again, as often as it takes") {
  Reading reading(
      {{ready()}, {frame("")}, {}, {error(R"({"id":"1","type":"UnexpectedError","message":"m"})")}, {ready()}});
  REQUIRE(reading.reader->open());
  reading.service.restore();
  CHECK(reading.next() == "resubscribed");
  CHECK(reading.service.subscriptions == 5); // nobody there, silence, trouble, and then a stream
}

TEST_CASE("a reader that is not wanted any more when it comes back ends with the service's word") {
  Reading reading({{ready()}, {error(R"({"id":"1","type":"AuthError","message":"m","reason":"session_not_found"})")}});
  REQUIRE(reading.reader->open());
  reading.service.restore();
  CHECK(reading.next() == "TransportError trellis.feed.failed");
}

TEST_CASE("a service that stops is left for its successor; with the option off that is the end") {
  const auto stopping = error(feed_runtime_error(*feed(), kFeedStoppingCode, {}).payload);
  Reading reading({{ready(), stopping}, {ready(), frame(R"({"n":3})")}});
  REQUIRE(reading.reader->open());
  CHECK(reading.next() == "resubscribed");
  CHECK(reading.next() == R"({"n":3})");

  Reading plain({{ready(), stopping}}, {.resubscribe = false});
  REQUIRE(plain.reader->open());
  CHECK(plain.next() == "TransportError trellis.feed.failed");
}

TEST_CASE("silence longer than its limit makes the reader subscribe again") {
  Reading reading({{ready()}, {ready()}}, {.silence_limit = 5ms});
  REQUIRE(reading.reader->open());
  CHECK(reading.next() == "resubscribed");
}

TEST_CASE("frames of a subscription that was given up are dropped") {
  Reading reading({{ready(), frame(R"({"n":1})")}, {ready()}});
  REQUIRE(reading.reader->open());
  CHECK(reading.next() == R"({"n":1})");
  reading.service.restore();
  CHECK(reading.next() == "resubscribed");
  CHECK(reading.next(1ms) == "nothing");
}

TEST_CASE("a reader that is too slow is told, and the memory that its events take is bounded") {
  Reading reading({{ready()}}, {.max_waiting = 2});
  REQUIRE(reading.reader->open());
  for (int i = 0; i < 3; ++i)
    reading.service.deliver(frame(R"({"n":1})"));
  CHECK(reading.next() == R"({"n":1})");
  CHECK(reading.next() == R"({"n":1})");
  CHECK(reading.next() == "TransportError trellis.feed.slow_reader");
}

TEST_CASE("what overflowed of a stream that is given up doesn't count against the next one") {
  const auto stopping = error(feed_runtime_error(*feed(), kFeedStoppingCode, {}).payload);
  Reading reading({{ready(), stopping, frame(R"({"n":1})")}, {ready(), frame(R"({"n":2})")}}, {.max_waiting = 2});
  REQUIRE(reading.reader->open());
  CHECK(reading.next() == "resubscribed");
  CHECK(reading.next() == R"({"n":2})");
}

TEST_CASE("cancel ends a reader that waits, whatever it waits for") {
  Reading opening({}, {.timeout = 1h});
  std::jthread one([&] { opening.reader->cancel(); });
  CHECK(opening.reader->open().error().envelope.code() == feed_error::kAborted);

  Reading reading({{ready()}});
  REQUIRE(reading.reader->open());
  std::jthread other([&] { reading.reader->cancel(); });
  CHECK(reading.next(1h) == "TransportError trellis.feed.subscribe_aborted");
}
