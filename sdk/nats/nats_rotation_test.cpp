// Live tests of rotation: a connection whose JWT ends is replaced, and nobody notices.
#include "nats/nats_test_support.h"
#include "nats/nats_transport.h"
#include "nats/operator_mode.h"
#include "nats/request_load.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

// May answer, but publish nothing of its own.
UserClaims answers_only() {
  UserClaims claims;
  claims.publish_allow = {"nothing"};
  claims.subscribe_allow = {">"};
  claims.response_max = 1;
  claims.response_ttl_ns = 60'000'000'000;
  return claims;
}

NatsOptions with_users(const OperatorMode &mode, NatsOptions options, std::chrono::seconds life,
                       const UserClaims &claims = {}) {
  options.credentials = [&mode, life, claims]() -> Result<ConnectionCredentials> { return mode.user(life, claims); };
  return options;
}

} // namespace

TEST_CASE("a service whose JWT lives for 4 seconds rotates under load and no request is lost") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  const auto service = open_connected(*loop, with_users(mode, log.options(server.url()), 4s, answers_only()));
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  const auto subscription =
      service->subscribe("echo", "workers", [](MessagePtr message) { (void)message->respond(message->payload()); });
  REQUIRE(service->flush(5s));

  RequestLoad load(*client, "echo", 16);
  CHECK(wait_until([&] { return service->counts().rotations >= 3; }, 30s));
  load.finish();
  CAPTURE(log.text());
  CHECK(load.failures().empty());
  CHECK(load.answered() > 1000);
  CHECK(log.text().empty());
  CHECK(service->counts().connects == service->counts().rotations + 1); // never lost, only replaced
  CHECK(log.states() == std::vector{ConnectionState::connected});
}

TEST_CASE("a client that rotates again and again gets every answer once") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  const auto service = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  const auto client = open_connected(*loop, with_users(mode, log.options(server.url()), 1h));
  const auto subscription =
      service->subscribe("echo", "workers", [](MessagePtr message) { (void)message->respond("ok"); });
  REQUIRE(service->flush(5s));

  RequestLoad load(*client, "echo", 16);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    client->rotate();
    REQUIRE(wait_until([&] { return client->counts().rotations == i; }));
  }
  load.finish();
  CAPTURE(log.text());
  CHECK(load.failures().empty());
  CHECK(log.text().empty());
}

TEST_CASE("a request that came in before a rotation is answered on its own connection, the only one that may") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  const auto service = open_connected(*loop, with_users(mode, log.options(server.url()), 1h, answers_only()));
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  std::promise<MessagePtr> arrived;
  const auto subscription =
      service->subscribe("slow", "workers", [&](MessagePtr message) { arrived.set_value(std::move(message)); });
  REQUIRE(service->flush(5s));
  std::promise<std::string> answer;
  client->request({.subject = "slow"}, 30s,
                  [&](auto reply) { answer.set_value(reply ? std::string((*reply)->payload()) : reply.error().code); });
  const auto message = arrived.get_future().get();

  service->rotate();
  REQUIRE(wait_until([&] { return service->counts().rotations == 1; }));
  const std::string reply_to(message->reply());
  CHECK(service->publish({.subject = reply_to, .payload = "on the new one"})); // the server refuses it
  CHECK(wait_until([&] { return log.has_problem(transport_error::kDenied, reply_to); }));
  CHECK(message->respond("on the old one"));
  CHECK(answer.get_future().get() == "on the old one");
}

TEST_CASE("a request that was sent before a rotation gets its answer after it") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  const auto service = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h, answers_only()));
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  std::promise<MessagePtr> arrived;
  const auto subscription =
      service->subscribe("slow", "workers", [&](MessagePtr message) { arrived.set_value(std::move(message)); });
  REQUIRE(service->flush(5s));
  std::promise<std::string> answer;
  client->request({.subject = "slow"}, 30s,
                  [&](auto reply) { answer.set_value(reply ? std::string((*reply)->payload()) : reply.error().code); });
  const auto message = arrived.get_future().get();
  client->rotate();
  REQUIRE(wait_until([&] { return client->counts().rotations == 1; }));
  CHECK(message->respond("after the rotation"));
  CHECK(answer.get_future().get() == "after the rotation");
}

TEST_CASE("a replaced connection ends as soon as nobody uses it, and at the latest after linger_max") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  auto options = with_users(mode, Log::plain_options(server.url()), 1h);
  options.linger_max = 300ms;
  const auto service = open_connected(*loop, std::move(options));
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  std::promise<MessagePtr> arrived;
  const auto subscription =
      service->subscribe("slow", "workers", [&](MessagePtr message) { arrived.set_value(std::move(message)); });
  REQUIRE(service->flush(5s));
  CHECK(client->publish({.subject = "slow", .reply = "nowhere"}));
  const auto kept = arrived.get_future().get();
  service->rotate();
  REQUIRE(wait_until([&] { return service->counts().rotations == 1; }));
  CHECK(wait_until([&] { return !kept->respond("x"); }));
  CHECK(kept->respond("x").error().code == transport_error::kClosed);
  CHECK(kept->reply() == "nowhere"); // the message itself lives on
}

TEST_CASE("subscriptions made before, during and after a rotation all get their messages") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  std::atomic<int> before = 0, during = 0, after = 0;
  const auto first = client->subscribe("a", "", [&](MessagePtr) { ++before; });
  client->rotate();
  const auto second = client->subscribe("a", "", [&](MessagePtr) { ++during; });
  REQUIRE(wait_until([&] { return client->counts().rotations == 1; }));
  const auto third = client->subscribe("a", "", [&](MessagePtr) { ++after; });
  CHECK(client->publish({.subject = "a"}));
  CHECK(wait_until([&] { return before == 1 && during == 1 && after == 1; })); // the overlap is over by now
}

TEST_CASE("a plain subscription gets every message once while its transport rotates again and again") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  const auto publisher = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  std::mutex mutex; // guards what follows
  std::condition_variable counted;
  std::map<std::string, int> counts;
  const auto subscription = client->subscribe("tick.*", "", [&](MessagePtr message) {
    const std::lock_guard lock(mutex);
    ++counts[std::string(message->subject()) + " " + std::string(message->payload())];
    counted.notify_all();
  });
  REQUIRE(client->flush(5s));

  const auto publish = [&](int n) { // each subject and payload comes again, but not both
    const Headers headers = {{"n", "1"}};
    return publisher->publish({.subject = "tick." + std::to_string(n % 7),
                               .payload = std::to_string(n / 7),
                               .headers = n % 2 == 0 ? &headers : nullptr});
  };
  std::atomic<bool> done = false;
  std::atomic<std::size_t> sent = 0;
  std::jthread ticks([&] {
    for (int n = 0; !done; ++n) {
      if (publish(n)) ++sent;
      std::unique_lock lock(mutex); // no faster than they are taken
      counted.wait_for(lock, 20s, [&] { return counts.size() + 100 > sent; });
    }
  });
  for (std::uint64_t i = 1; i <= 10; ++i) {
    client->rotate();
    REQUIRE(wait_until([&] { return client->counts().rotations == i; }));
  }
  done = true;
  ticks.join();
  std::unique_lock lock(mutex);
  CHECK(counted.wait_for(lock, 20s, [&] { return counts.size() == sent; }));
  CHECK(std::ranges::count_if(counts, [](const auto &count) { return count.second != 1; }) == 0);
}

TEST_CASE("a rotation without usable credentials keeps the old connection") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  auto options = log.options(server.url());
  std::atomic<bool> broken = false;
  options.credentials = [&]() -> Result<ConnectionCredentials> {
    if (broken) return fail("seed_unreadable", "key.seed", "gone");
    return mode.user(1h);
  };
  const auto client = open_connected(*loop, std::move(options));
  broken = true;
  client->rotate();
  CHECK(wait_until([&] { return log.has_problem("seed_unreadable", "key.seed"); }));
  CHECK(client->state() == ConnectionState::connected);
  CHECK(client->flush(5s));
  broken = false;
  CHECK(wait_until([&] { return client->counts().rotations == 1; }));
}

TEST_CASE("a connection that reaches the end of its JWT is replaced") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  auto options = log.options(server.url());
  options.credentials = [&]() -> Result<ConnectionCredentials> {
    auto credentials = mode.user(2s);
    credentials.expires_at.reset(); // so nobody rotates in time
    return credentials;
  };
  const auto client = open_connected(*loop, std::move(options));
  CHECK(wait_until([&] { return client->counts().connects >= 3; }));
  CHECK(log.count_problems(connect_error::kExpired) >= 2);
}

TEST_CASE("each connection gets a new connect token, whatever characters are in it") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  auto options = Log::plain_options(server.url());
  std::atomic<unsigned> tokens = 0;
  options.credentials = [&]() -> Result<ConnectionCredentials> {
    auto credentials = mode.user(1h);
    credentials.auth_token = [&tokens] { return R"({"v":1,"n":)" + std::to_string(++tokens) + R"(,"s":"\"}")"; };
    return credentials;
  };
  const auto client = open_connected(*loop, std::move(options)); // a token that isn't escaped breaks CONNECT
  CHECK(tokens == 1);
  client->rotate();
  CHECK(wait_until([&] { return client->counts().rotations == 1; }));
  CHECK(tokens == 2);
}

// nats.c leaves one signature in 256 out of CONNECT, so without care this fails nine times in ten.
TEST_CASE("hundreds of connections are all accepted at their first attempt") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  const auto client = open_connected(*loop, with_users(mode, log.options(server.url()), 1h));
  for (std::uint64_t i = 1; i <= 600; ++i) {
    client->rotate();
    REQUIRE(wait_until([&] { return client->counts().rotations == i; }));
  }
  CHECK(log.text().empty());
}

TEST_CASE("a watched answer tells that its receiver is gone, on a replaced connection too, and else nothing") {
  const OperatorMode mode;
  const NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  const auto service = open_connected(*loop, with_users(mode, log.options(server.url()), 1h));
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  std::mutex mutex;
  MessagePtr kept;
  const auto serving = service->subscribe("watch", "workers", [&](MessagePtr message) {
    const std::lock_guard lock(mutex);
    kept = std::move(message);
  });
  auto inbox = client->subscribe("_INBOX.test.watcher", "", [](const MessagePtr &) {});
  REQUIRE(service->flush(5s));
  REQUIRE(client->publish({.subject = "watch", .reply = "_INBOX.test.watcher"}));
  const auto arrived = [&] {
    const std::lock_guard lock(mutex);
    return kept != nullptr;
  };
  REQUIRE(wait_until(arrived));
  service->rotate();
  REQUIRE(wait_until([&] { return service->counts().rotations == 1; }));

  std::atomic<int> unheard = 0;
  const auto count = [&](const Error &error) { unheard += error.code == transport_error::kNoResponders; };
  CHECK(kept->respond_and_watch("one", nullptr, count));
  REQUIRE(service->flush(5s)); // the server has answered everything before
  CHECK(unheard == 0);
  inbox->reset();
  REQUIRE(client->flush(5s));
  CHECK(kept->respond_and_watch("two", nullptr, count));
  CHECK(wait_until([&] { return unheard == 1; }));
}

TEST_CASE("the end of each connection is told, of a replaced one also while it can still answer") {
  const OperatorMode mode;
  NatsServer server({.text = mode.config(), .jetstream = false});
  const auto loop = start_loop();
  Log log;
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, bool>> ends;
  std::vector<std::uint64_t> came_in_on;
  auto options = with_users(mode, log.options(server.url()), 1h);
  options.linger_max = 300ms;
  options.on_connection_end = [&](std::uint64_t connection, bool alive) {
    const std::lock_guard lock(mutex);
    ends.emplace_back(connection, alive);
  };
  const auto service = open_connected(*loop, std::move(options));
  std::vector<MessagePtr> kept; // keeps its connection open
  const auto serving = service->subscribe("watch", "workers", [&](MessagePtr message) {
    const std::lock_guard lock(mutex);
    came_in_on.push_back(message->connection());
    kept.push_back(std::move(message));
  });
  std::atomic<int> restored = 0;
  const auto listener = service->on_restored([&] { ++restored; });
  const auto client = open_connected(*loop, with_users(mode, Log::plain_options(server.url()), 1h));
  REQUIRE(service->flush(5s));
  const auto ask = [&](std::size_t so_many) {
    REQUIRE(client->publish({.subject = "watch", .reply = "_INBOX.test.x"}));
    REQUIRE(wait_until([&] {
      const std::lock_guard lock(mutex);
      return came_in_on.size() == so_many;
    }));
  };
  ask(1);
  service->rotate();
  const auto ended = [&](std::size_t so_many) {
    return wait_until([&] {
      const std::lock_guard lock(mutex);
      return ends.size() == so_many;
    });
  };
  REQUIRE(ended(2));
  CHECK(ends == std::vector<std::pair<std::uint64_t, bool>>{{came_in_on[0], true}, {came_in_on[0], false}});
  CHECK(restored == 0);

  ask(2);
  CHECK(came_in_on[1] != came_in_on[0]);
  server.restart();
  REQUIRE(ended(3));
  CHECK(ends.back() == std::pair{came_in_on[1], false});
  CHECK(wait_until([&] { return restored == 1; }));
  kept.clear();
}
