// Live tests of what threads may do to a transport at the same time, and of how many threads it needs.
#include "nats/nats_test_support.h"
#include "nats/nats_transport.h"
#include "nats/request_load.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <future>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

long thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

// Publishes to one subject until it goes out of scope, as fast as the server takes it and no faster: a backlog would
// only measure how fast this machine is.
class PublishLoad {
public:
  PublishLoad(Transport &transport, std::string subject)
      : thread_([this, &transport, subject = std::move(subject)] {
          while (!stop_) {
            for (int i = 0; i < 64; ++i)
              (void)transport.publish({.subject = subject, .payload = "x"});
            (void)transport.flush(1s);
          }
        }) {}
  ~PublishLoad() {
    stop_ = true;
    thread_.join();
  }

private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

} // namespace

TEST_CASE("a subscription destroyed under load never calls back afterwards") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto receiver = open_connected(*loop, server.url());
  const auto sender = open_connected(*loop, server.url());
  const PublishLoad load(*sender, "a");
  for (int i = 0; i < 100; ++i) {
    auto alive = std::make_unique<std::atomic<int>>(0); // freed right after the subscription: ASan watches
    auto subscription = receiver->subscribe("a", "", [raw = alive.get()](MessagePtr) { ++*raw; });
    REQUIRE(subscription);
    REQUIRE(wait_until([&] { return *alive > 0; }));
    subscription->reset();
  }
}

TEST_CASE("a transport closed under load answers every request and then calls nobody") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto service = open_connected(*loop, server.url());
  const auto noisy = open_connected(*loop, server.url());
  const auto echo = service->subscribe("echo", "", [](MessagePtr message) { (void)message->respond("ok"); });
  REQUIRE(service->flush(5s));
  for (int i = 0; i < 8; ++i) {
    auto client = open_connected(*loop, server.url());
    auto alive = std::make_unique<std::atomic<int>>(0);
    const auto heard = client->subscribe("noise", "", [raw = alive.get()](MessagePtr) { ++*raw; });
    RequestLoad load(*client, "echo", 16);
    const PublishLoad noise(*noisy, "noise");
    REQUIRE(wait_until([&] { return load.answered() > 20 && *alive > 0; }));
    client->close(1s);
    alive.reset();
    load.finish();
    CHECK(client->state() == ConnectionState::closed);
    CHECK(client->publish({.subject = "a"}).error().code == transport_error::kClosed);
    CHECK(client->subscribe("a", "", [](MessagePtr) {}).error().code == transport_error::kClosed);
    for (const auto &[code, count] : load.failures())
      CHECK(code == transport_error::kClosed);
  }
}

TEST_CASE("a transport that is destroyed while it connects ends") {
  NatsServer server;
  const auto loop = start_loop();
  for (int i = 0; i < 20; ++i) {
    const auto client = NatsTransport::open(*loop, Log::plain_options(server.url()));
    const auto subscription = client->subscribe("a", "", [](MessagePtr) {});
    REQUIRE(subscription);
    if (i % 2 == 0) CHECK(client->wait_connected(20s));
  }
  CHECK(open_connected(*loop, server.url())->flush(5s)); // the loop serves the next one
}

TEST_CASE("closing publishes what was published before") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto receiver = open_connected(*loop, server.url());
  std::atomic<int> got = 0;
  const auto subscription = receiver->subscribe("a", "", [&](MessagePtr) { ++got; });
  REQUIRE(receiver->flush(5s));
  const auto sender = open_connected(*loop, server.url());
  for (int i = 0; i < 1000; ++i)
    REQUIRE(sender->publish({.subject = "a", .payload = std::string(1000, 'x')}));
  sender->close(5s);
  CHECK(wait_until([&] { return got == 1000; }));
}

TEST_CASE("messages outlive their transport and their loop") {
  const NatsServer server;
  MessagePtr kept;
  {
    const auto loop = start_loop();
    const auto client = open_connected(*loop, server.url());
    std::promise<MessagePtr> arrived;
    const auto subscription =
        client->subscribe("a", "", [&](MessagePtr message) { arrived.set_value(std::move(message)); });
    REQUIRE(client->publish({.subject = "a", .reply = "r", .payload = "kept"}));
    kept = arrived.get_future().get();
  }
  CHECK(kept->payload() == "kept");
  CHECK(kept->respond("late").error().code == transport_error::kClosed);
}

TEST_CASE("rotations under load from several threads lose nothing") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto service = open_connected(*loop, server.url());
  const auto client = open_connected(*loop, server.url());
  const auto echo = service->subscribe("echo", "workers", [](MessagePtr message) { (void)message->respond("ok"); });
  REQUIRE(service->flush(5s));
  RequestLoad load(*client, "echo", 8);
  bool rotated = true;
  std::thread rotating([&] {
    for (std::uint64_t i = 1; i <= 10; ++i) {
      service->rotate();
      client->rotate();
      rotated = wait_until([&] { return service->counts().rotations >= i; }) && rotated;
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto passing = client->subscribe("echo", "workers-" + std::to_string(i), [](MessagePtr) {});
    CHECK(passing);
  }
  rotating.join();
  CHECK(rotated);
  load.finish();
  CHECK(load.failures().empty());
}

TEST_CASE("the number of threads doesn't depend on the number of transports or subscriptions") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto first = open_connected(*loop, server.url());
  const auto one = first->subscribe("a", "", [](MessagePtr) {});
  REQUIRE(first->flush(5s));
  CHECK(wait_until([] { return thread_count() <= 8; })); // the test's, the loop's, and nats.c's for the process
  const long with_one = thread_count();

  const auto second = open_connected(*loop, server.url());
  const auto third = open_connected(*loop, server.url());
  std::vector<std::unique_ptr<Subscription>> many;
  for (int i = 0; i < 50; ++i) {
    many.push_back(std::move(*second->subscribe("a." + std::to_string(i), "", [](MessagePtr) {})));
    many.push_back(std::move(*third->subscribe("b." + std::to_string(i), "q", [](MessagePtr) {})));
  }
  REQUIRE(second->flush(5s));
  REQUIRE(third->flush(5s));
  CHECK(wait_until([&] { return thread_count() <= with_one; })); // connecting takes a thread for a moment
  third->rotate();
  CHECK(wait_until([&] { return third->counts().rotations == 1; }));
  CHECK(wait_until([&] { return thread_count() <= with_one; }));
  WARN("threads with one transport and with three: " << with_one << ", " << thread_count());
}
