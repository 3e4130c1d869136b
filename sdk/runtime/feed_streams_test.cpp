// Streams of a service without a host and without NATS: the hooks are played here, in one thread.
#include "runtime/feed_streams.h"
#include "runtime/rpc_fixture.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::test;
using Handle = FeedStreams::Handle;

namespace {

FeedMethod watch_feed() {
  FeedMethod feed;
  feed.name = "Orders.Watch";
  feed.subject = "feeds.v1.Orders.Watch";
  feed.input = schema_of(R"({"type":"object"})");
  feed.event = schema_of(R"({"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}})");
  return feed;
}

std::string code_of(const Replies::Reply &frame) {
  return parse_envelope(frame.payload).value().code();
}

// A service with one feed. What it is told waits in `begun` and `cancelled`.
struct Service {
  explicit Service(FeedLimits limits = {}, bool has_room = true) {
    SessionDirectory sessions;
    for (const auto *key : {&caller, &other}) {
      auto session = std::make_shared<CallerSession>(*session_of(*key));
      session->publish_subjects = {"feeds.v1.>"};
      sessions.emplace(key->text(), std::move(session));
    }
    auto validator = std::make_shared<LocalValidator>(*replay, [] { return kNow; });
    validator->replace_sessions(std::move(sessions));
    streams.emplace(
        limits, ServiceIdentity{"orders", "acme.orders@v1", "digest"}, std::move(validator),
        FeedStreams::Hooks{
            [this, has_room](Handle handle, const FeedStreams::Feed &) {
              waiting.push_back(handle);
              return has_room;
            },
            [this](Handle handle, const FeedStreams::Feed &) { cancelled.push_back(handle); },
            [this](FeedStreams::Problem problem, const auto &, const std::string &) { problems.push_back(problem); },
            [this](const FeedStreams::Feed &, const RpcReply &error) { failures.push_back(error.cause); }});
    feed = &streams->add(watch_feed());
  }

  // A subscriber's message; the frames that it gets.
  std::shared_ptr<Replies> arrive(const SessionKey &key, std::uint64_t connection = 1) {
    auto message = signed_message(key, feed->method.subject, "{}", kNow, "r" + std::to_string(++requests));
    message.connection_id = connection;
    auto frames = message.replies;
    streams->arrive(*feed, to_message(std::move(message)));
    return frames;
  }
  // The same, until the service knows the stream.
  std::pair<Handle, std::shared_ptr<Replies>> open(const SessionKey &key, std::uint64_t connection = 1) {
    auto frames = arrive(key, connection);
    const auto handle = waiting.back();
    if (streams->begin(handle)) streams->begun(handle);
    return {handle, std::move(frames)};
  }

  std::unique_ptr<ReplayCache> replay = ReplayCache::in_memory().value();
  SessionKey caller = SessionKey::generate(), other = SessionKey::generate();
  std::vector<Handle> waiting, cancelled;
  std::vector<FeedStreams::Problem> problems;
  std::vector<ReplyCause> failures;
  std::optional<FeedStreams> streams;
  FeedStreams::Feed *feed = nullptr;
  int requests = 0;
};

} // namespace

TEST_CASE("the ready frame comes first, events follow, and a closed stream takes none") {
  Service service;
  const auto [handle, frames] = service.open(service.caller);
  CHECK(service.streams->emit(handle, R"({"n":1})"));
  CHECK(service.streams->close(handle));
  CHECK(service.streams->emit(handle, R"({"n":2})").error().failure == FeedStreams::Failure::gone);
  CHECK_FALSE(service.streams->close(handle));
  const auto all = frames->all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].headers[0].name == "feed-status");
  CHECK(all[1].payload == R"({"n":1})");
  CHECK(all[1].headers.empty());
  CHECK(service.cancelled.empty());
}

TEST_CASE("an event that breaks the schema is refused, also right after one that passed") {
  Service service;
  const auto [handle, frames] = service.open(service.caller);
  CHECK(service.streams->emit(handle, R"({"n":1})"));
  CHECK(service.streams->emit(handle, R"({"n":1})"));
  const auto refused = service.streams->emit(handle, R"({"n":"x"})");
  CHECK(refused.error().failure == FeedStreams::Failure::invalid);
  CHECK(refused.error().envelope.type == "ValidationError");
  CHECK(service.streams->emit(handle, "nope").error().failure == FeedStreams::Failure::invalid);
  CHECK(service.streams->is_open(handle));
  CHECK(frames->count() == 3);
  CHECK(service.failures == std::vector{ReplyCause::output_encoding, ReplyCause::output_encoding});
}

TEST_CASE("frames that can't be sent are counted, and the stream stays open after an event that is too large") {
  Service service;
  auto narrow = signed_message(service.caller, service.feed->method.subject, "{}", kNow, "narrow");
  narrow.max_payload = 10;
  service.streams->arrive(*service.feed, to_message(std::move(narrow)));
  const auto handle = service.waiting.back();
  REQUIRE(service.streams->begin(handle));
  service.streams->begun(handle);
  const auto refused = service.streams->emit(handle, R"({"n":1000000})");
  CHECK(refused.error().failure == FeedStreams::Failure::too_large);
  CHECK(service.streams->emit(handle, R"({"n":1})"));

  auto gone = signed_message(service.caller, service.feed->method.subject, "{}", kNow, "gone");
  gone.closed = true;
  service.streams->arrive(*service.feed, to_message(std::move(gone)));
  CHECK_FALSE(service.streams->begin(service.waiting.back()));
  CHECK(service.failures == std::vector{ReplyCause::event_publish, ReplyCause::handshake});
}

TEST_CASE("an event with duplicate members is sent as it was checked") {
  Service service;
  const auto [handle, frames] = service.open(service.caller);
  CHECK(service.streams->emit(handle, R"({"n":"x","n":2})"));
  CHECK(frames->all().back().payload == R"({"n":2})");
}

TEST_CASE("a receiver that is gone ends the stream, and its handler is cancelled once") {
  Service service({.check_interval = std::chrono::milliseconds(0)});
  const auto [handle, frames] = service.open(service.caller);
  CHECK(frames->watches() == 1); // the ready frame asks too
  CHECK(service.streams->emit(handle, R"({"n":1})"));
  CHECK(frames->watches() == 2);
  frames->lose_receiver();
  frames->lose_receiver();
  CHECK(service.cancelled == std::vector{handle});
  CHECK(service.streams->emit(handle, R"({"n":2})").error().failure == FeedStreams::Failure::gone);
  CHECK(service.streams->cancelling(handle) == service.feed);
  CHECK_FALSE(service.streams->close(handle)); // over, but let go of
  CHECK(service.streams->cancelling(handle) == nullptr);
  CHECK(service.streams->counts().lost == 1);
}

TEST_CASE("between two checks an event asks for nothing") {
  Service service({.check_interval = std::chrono::hours(1)});
  const auto [handle, frames] = service.open(service.caller);
  CHECK(service.streams->emit(handle, R"({"n":1})"));
  CHECK(frames->watches() == 1);
}

TEST_CASE("a stream that ends before its handler was called is cancelled after that") {
  Service service;
  const auto frames = service.arrive(service.caller, 7);
  const auto handle = service.waiting.back();
  REQUIRE(service.streams->begin(handle));
  service.streams->connection_ended(7, false);
  CHECK(service.cancelled.empty());
  service.streams->begun(handle);
  CHECK(service.cancelled == std::vector{handle});
}

TEST_CASE("the end of a connection ends its streams alone, and is told to them while it can be") {
  Service service;
  const auto [mine, mine_frames] = service.open(service.caller, 1);
  const auto [other, other_frames] = service.open(service.other, 2);
  service.streams->connection_ended(1, true);
  service.streams->connection_ended(1, false);
  CHECK(service.cancelled == std::vector{mine});
  CHECK(code_of(mine_frames->all().back()) == kFeedExpiredCode);
  CHECK(service.streams->emit(other, R"({"n":1})"));
  CHECK(other_frames->count() == 2);
}

TEST_CASE("a caller gets as many streams as the limit says, and another caller its own") {
  Service service({.max_streams_per_caller = 1});
  const auto [first, first_frames] = service.open(service.caller);
  const auto [second, second_frames] = service.open(service.caller);
  CHECK(code_of(second_frames->all().at(0)) == kFeedTooManyStreamsCode);
  CHECK(second_frames->count() == 1);
  CHECK(service.open(service.other).second->all().at(0).payload.empty());
  service.streams->close(first);
  CHECK(service.open(service.caller).second->all().at(0).payload.empty());
  CHECK(service.problems == std::vector{FeedStreams::Problem::too_many});
}

TEST_CASE("at its caller's limit the longest silent stream makes room, for nobody may hear it any more") {
  Service service({.max_streams_per_caller = 2, .check_interval = std::chrono::milliseconds(0)});
  const auto [first, first_frames] = service.open(service.caller);
  const auto [second, second_frames] = service.open(service.caller);
  CHECK(service.streams->emit(first, R"({"n":1})")); // now the second is silent for longer
  const auto [third, third_frames] = service.open(service.caller);
  CHECK(third_frames->all().at(0).payload.empty());
  CHECK(code_of(second_frames->all().back()) == kFeedTooManyStreamsCode);
  CHECK(service.cancelled == std::vector{second});
  CHECK(service.streams->is_open(first));
  CHECK(service.streams->is_open(third));
  CHECK(service.problems == std::vector{FeedStreams::Problem::too_many});
}

TEST_CASE("nobody makes room for a caller when the service's own limit is reached") {
  Service service({.max_streams = 1, .max_streams_per_caller = 1, .check_interval = std::chrono::milliseconds(0)});
  const auto [first, first_frames] = service.open(service.caller);
  CHECK(code_of(service.open(service.caller).second->all().at(0)) == kFeedTooManyStreamsCode);
  CHECK(service.streams->is_open(first));
}

TEST_CASE("a stream that the service doesn't let go of counts among all, but no longer among its caller's") {
  Service service({.max_streams = 2, .max_streams_per_caller = 1});
  const auto [kept, frames] = service.open(service.caller);
  frames->lose_receiver();
  CHECK(service.streams->counts().abandoned == 1);
  CHECK(service.open(service.caller).second->all().at(0).payload.empty());
  CHECK(code_of(service.open(service.other).second->all().at(0)) == kFeedTooManyStreamsCode);
}

TEST_CASE("without room to begin a stream its subscriber is told so at once") {
  Service service({}, false);
  CHECK(code_of(service.arrive(service.caller)->all().at(0)) == kFeedOverloadedCode);
  CHECK(service.streams->wait_empty(FeedStreams::Clock::now()));
}

TEST_CASE("at the end all streams are told, those that come later too, and what is held is known by feed") {
  Service service;
  const auto [handle, frames] = service.open(service.caller);
  const auto waiting = service.arrive(service.other);
  service.streams->end_all();
  CHECK(code_of(frames->all().back()) == kFeedStoppingCode);
  CHECK(code_of(waiting->all().back()) == kFeedStoppingCode);
  CHECK(service.streams->begin(service.waiting.back()) == nullptr);
  CHECK(waiting->count() == 1);
  CHECK(code_of(service.open(service.other).second->all().at(0)) == kFeedStoppingCode);
  CHECK_FALSE(service.streams->wait_empty(FeedStreams::Clock::now()));
  CHECK(service.streams->held() == std::vector<std::pair<std::string, std::size_t>>{{"Orders.Watch", 1}});
  service.streams->close(handle);
  CHECK(service.streams->wait_empty(FeedStreams::Clock::now()));
}

TEST_CASE("NATS lets 65535 frames through: the last one is the error that says so") {
  Service service;
  const auto [handle, frames] = service.open(service.caller);
  std::size_t sent = 0;
  while (service.streams->emit(handle, R"({"n":1})"))
    ++sent;
  CHECK(sent == 65533);
  CHECK(frames->count() == 65535);
  CHECK(code_of(frames->all().back()) == kFeedExpiredCode);
  CHECK(service.cancelled == std::vector{handle});
}

TEST_CASE("a subscriber without an inbox, and a message on a closed connection, leave nothing behind") {
  Service service;
  auto message = signed_message(service.caller, service.feed->method.subject, "{}", kNow, "r1");
  message.reply_text.clear();
  const auto frames = message.replies;
  service.streams->arrive(*service.feed, to_message(std::move(message)));
  CHECK(service.streams->begin(service.waiting.back()) == nullptr);
  CHECK(frames->count() == 0);
  CHECK(service.failures == std::vector{ReplyCause::auth}); // reply_subject_mismatch: it was checked to its end

  auto late = signed_message(service.caller, service.feed->method.subject, "{}", kNow, "r2");
  late.closed = true;
  service.streams->arrive(*service.feed, to_message(std::move(late)));
  CHECK(service.streams->begin(service.waiting.back()) == nullptr);
  CHECK(service.streams->wait_empty(FeedStreams::Clock::now()));
}
