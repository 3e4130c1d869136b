// Live tests of one transport against one server: what the interface promises when nothing goes wrong, and when the
// server refuses or goes away. Rotation and threads have files of their own.
#include "nats/nats_test_support.h"
#include "nats/nats_transport.h"
#include "nats/operator_mode.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <future>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kPermissions[] = R"(
authorization {
  users = [
    { user: limited, password: pw, permissions: { publish: ["allowed.>", "_INBOX.>"], subscribe: ["_INBOX.>", "allowed.>"] } }
    { user: full, password: pw }
  ]
})";

} // namespace

TEST_CASE("a request carries payload and headers there, and an answer back") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto service = open_connected(*loop, server.url());
  const auto client = open_connected(*loop, server.url());
  const auto subscription = service->subscribe("echo", "workers", [](MessagePtr message) {
    const Headers answer{{"seen", std::string(message->header("request-id"))},
                         {"unseen", std::string(message->header("Request-Id"))},
                         {"case", "Kept"}};
    static_cast<void>(message->respond(message->payload(), &answer));
  });
  REQUIRE(subscription);
  REQUIRE(service->flush(5s));

  const Headers headers{{"request-id", "r1"}, {"two words", "no"}};
  CHECK(request_and_wait(*client, {.subject = "echo", .headers = &headers}, 5s).error().code ==
        transport_error::kInvalid);
  const Headers good{{"request-id", "r1"}, {"traceparent", "00-ab-cd-01"}};
  const auto reply = request_and_wait(*client, {.subject = "echo", .payload = "hello", .headers = &good}, 5s);
  REQUIRE(reply);
  CHECK((*reply)->payload() == "hello");
  CHECK((*reply)->header("seen") == "r1");
  CHECK((*reply)->header("unseen").empty()); // names are compared case-sensitively
  CHECK((*reply)->headers().size() == 2);
}

TEST_CASE("a request without responders fails at once, and one without answer after its timeout") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto client = open_connected(*loop, server.url());

  const auto nobody = request_and_wait(*client, {.subject = "nobody"}, 20s);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == transport_error::kNoResponders);
  CHECK(nobody.error().where == "nobody");

  const auto silent = client->subscribe("silent", "", [](MessagePtr) {});
  const auto started = std::chrono::steady_clock::now();
  const auto late = request_and_wait(*client, {.subject = "silent"}, 150ms);
  const auto took = std::chrono::steady_clock::now() - started;
  REQUIRE_FALSE(late);
  CHECK(late.error().code == transport_error::kTimeout);
  CHECK(took >= 150ms);
  CHECK(took < 5s);
}

TEST_CASE("a shorter timeout rings before a longer one that was asked for first") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto client = open_connected(*loop, server.url());
  const auto silent = client->subscribe("silent", "", [](MessagePtr) {});
  std::promise<std::string> longer;
  client->request({.subject = "silent"}, 10min, [&](auto reply) { longer.set_value(reply.error().code); });
  CHECK(request_and_wait(*client, {.subject = "silent"}, 50ms).error().code == transport_error::kTimeout);
  client->close(1s);
  CHECK(longer.get_future().get() == transport_error::kClosed);
}

TEST_CASE("a payload over the server's limit is refused before it is sent") {
  const NatsServer server({.text = "max_payload: 4096"});
  const auto loop = start_loop();
  const auto client = open_connected(*loop, server.url());
  CHECK(client->max_payload() == 4096);
  const std::string fits(4096, 'x');
  const std::string over(4097, 'x');
  CHECK(client->publish({.subject = "a", .payload = fits}));
  CHECK(client->publish({.subject = "a", .payload = over}).error().code == transport_error::kTooLarge);
  CHECK(request_and_wait(*client, {.subject = "a", .payload = over}, 5s).error().code == transport_error::kTooLarge);
  const Headers headers{{"counts", "too"}};
  CHECK(client->publish({.subject = "a", .payload = fits, .headers = &headers}).error().code ==
        transport_error::kTooLarge);
}

TEST_CASE("subjects and headers that would break the protocol are refused") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto client = open_connected(*loop, server.url());
  CHECK(client->publish({.subject = ""}).error().code == transport_error::kInvalid);
  CHECK(client->publish({.subject = "a b"}).error().code == transport_error::kInvalid);
  CHECK(client->publish({.subject = "a\r\nPUB b 0\r\n"}).error().code == transport_error::kInvalid);
  CHECK(client->publish({.subject = "a", .reply = "r\n"}).error().code == transport_error::kInvalid);
  const Headers headers{{"name", "value\r\nother: x"}};
  CHECK(client->publish({.subject = "a", .headers = &headers}).error().code == transport_error::kInvalid);
  CHECK(client->subscribe("", "", [](MessagePtr) {}).error().code == transport_error::kInvalid);
  CHECK(client->subscribe("a b", "", [](MessagePtr) {}).error().code == transport_error::kInvalid);
  CHECK(client->subscribe("a", "q q", [](MessagePtr) {}).error().code == transport_error::kInvalid);
  CHECK(client->state() == ConnectionState::connected);
}

TEST_CASE("a refused publish fails its pending requests at once and is reported") {
  const NatsServer server({.text = kPermissions});
  const auto loop = start_loop();
  Log log;
  auto options = log.options(server.url_as("limited", "pw"));
  const auto client = open_connected(*loop, std::move(options));

  const auto started = std::chrono::steady_clock::now();
  const auto denied = request_and_wait(*client, {.subject = "forbidden.thing"}, 60s);
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == transport_error::kDenied);
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  CHECK(wait_until([&] { return log.has_problem(transport_error::kDenied, "forbidden.thing"); }));
  CHECK(client->counts().permission_errors == 1);

  const auto other = request_and_wait(*client, {.subject = "allowed.but.nobody"}, 5s);
  CHECK(other.error().code == transport_error::kNoResponders);
}

TEST_CASE("a refused subscription is reported with its subject") {
  const NatsServer server({.text = kPermissions});
  const auto loop = start_loop();
  Log log;
  const auto client = open_connected(*loop, log.options(server.url_as("limited", "pw")));
  const auto plain = client->subscribe("secret.>", "", [](MessagePtr) {});
  const auto grouped = client->subscribe("secret.jobs", "workers", [](MessagePtr) {});
  CHECK(wait_until([&] { return log.has_problem(transport_error::kDenied, "secret.>"); }));
  CHECK(wait_until([&] { return log.has_problem(transport_error::kDenied, "secret.jobs"); }));
  CHECK(client->state() == ConnectionState::connected);
}

TEST_CASE("nothing is published or asked while there is no server; it connects when one comes") {
  NatsServer server;
  server.stop();
  const auto loop = start_loop();
  Log log;
  const auto client = NatsTransport::open(*loop, log.options(server.url()));
  CHECK(wait_until([&] { return log.has_problem(connect_error::kFailed, server.url()); }));
  CHECK_FALSE(client->wait_connected(1ms));
  CHECK(client->publish({.subject = "a"}).error().code == transport_error::kClosed);
  CHECK(request_and_wait(*client, {.subject = "a"}, 5s).error().code == transport_error::kClosed);
  CHECK(client->flush(1s).error().code == transport_error::kClosed);
  server.start();
  CHECK(client->wait_connected(20s));
  CHECK(client->publish({.subject = "a"}));
}

TEST_CASE("after a server restart under load subscriptions work again by themselves") {
  NatsServer server;
  const auto loop = start_loop();
  Log log;
  const auto service = open_connected(*loop, log.options(server.url()));
  const auto client = open_connected(*loop, server.url());
  const auto subscription =
      service->subscribe("echo", "workers", [](MessagePtr message) { (void)message->respond("ok"); });

  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::thread load([&] {
    while (!stop)
      if (request_and_wait(*client, {.subject = "echo"}, 200ms)) ++answered;
  });
  CHECK(wait_until([&] { return answered > 100; }));
  server.kill();
  CHECK(wait_until([&] { return service->state() == ConnectionState::disconnected; }));
  server.start();
  const int before = answered;
  CHECK(wait_until([&] { return answered > before + 100; }));
  stop = true;
  load.join();
  CHECK(log.states() ==
        std::vector{ConnectionState::connected, ConnectionState::disconnected, ConnectionState::connected});
  CHECK(service->counts().connects == 2);
}

TEST_CASE("a request that was sent before the server went away gets the answer that the next connection brings") {
  NatsServer server;
  const auto loop = start_loop();
  const auto service = open_connected(*loop, server.url());
  const auto client = open_connected(*loop, server.url());
  std::promise<std::string> reply_subject;
  const auto subscription = service->subscribe(
      "slow", "", [&](MessagePtr message) { reply_subject.set_value(std::string(message->reply())); });
  REQUIRE(service->flush(5s));
  std::promise<std::string> answer;
  client->request({.subject = "slow"}, 60s,
                  [&](auto reply) { answer.set_value(reply ? std::string((*reply)->payload()) : reply.error().code); });
  const auto reply_to = reply_subject.get_future().get();
  server.restart();
  CHECK(wait_until([&] { return service->counts().connects == 2 && client->counts().connects == 2; }));
  CHECK(service->publish({.subject = reply_to, .payload = "late"}));
  CHECK(answer.get_future().get() == "late");
}

TEST_CASE("two denials and more don't end a transport: it connects once the credentials are right") {
  const NatsServer server({.text = kPermissions});
  const auto loop = start_loop();
  NatsServer other({.text = "authorization { user: full, password: old }"});
  Log log;
  const auto client = NatsTransport::open(*loop, log.options(other.url_as("full", "new")));
  CHECK(wait_until([&] { return log.count_problems(connect_error::kDenied) >= 3; }));
  CHECK(client->counts().connects == 0);
  other.set_text("authorization { user: full, password: new }");
  other.reload();
  CHECK(client->wait_connected(20s));
}

TEST_CASE("a connection that the server ends while its credentials are refused comes back later") {
  NatsServer server({.text = "authorization { user: full, password: first }"});
  const auto loop = start_loop();
  Log log;
  const auto client = open_connected(*loop, log.options(server.url_as("full", "first")));
  std::atomic<int> got = 0;
  const auto subscription = client->subscribe("a", "", [&](MessagePtr) { ++got; });
  server.set_text("authorization { user: full, password: second }");
  server.restart();
  CHECK(wait_until([&] { return log.count_problems(connect_error::kDenied) >= 3; }));
  server.set_text("authorization { user: full, password: first }");
  server.restart();
  CHECK(client->wait_connected(20s));
  CHECK(wait_until([&] { return client->publish({.subject = "a"}).has_value(); }));
  CHECK(wait_until([&] { return got > 0; }));
}

TEST_CASE("draining hands over what has arrived and then says so") {
  const NatsServer server;
  const auto loop = start_loop();
  const auto client = open_connected(*loop, server.url());
  std::atomic<int> got = 0;
  std::promise<void> opened;
  const auto gate = opened.get_future().share();
  const auto subscription = client->subscribe("a", "", [&, gate](MessagePtr) {
    gate.wait(); // only here: delivery has to be held up for the test
    ++got;
  });
  for (int i = 0; i < 50; ++i)
    REQUIRE(client->publish({.subject = "a"}));
  REQUIRE(client->flush(5s));
  std::promise<int> drained;
  (*subscription)->drain([&] { drained.set_value(got); });
  opened.set_value();
  CHECK(drained.get_future().get() == 50);
  REQUIRE(client->publish({.subject = "a"}));
  REQUIRE(client->flush(5s));
  CHECK(got == 50);
}

TEST_CASE("draining without a connection is done at once") {
  NatsServer server;
  server.stop();
  const auto loop = start_loop();
  const auto client = NatsTransport::open(*loop, Log::plain_options(server.url()));
  const auto subscription = client->subscribe("a", "", [](MessagePtr) {});
  bool done = false;
  (*subscription)->drain([&] { done = true; });
  CHECK(done);
}

TEST_CASE("publishing to a server that doesn't read is refused once max_unsent bytes wait") {
  const NatsServer server;
  const auto loop = start_loop();
  auto options = Log::plain_options(server.url());
  options.max_unsent = 1 << 20;
  const auto client = open_connected(*loop, std::move(options));
  ::kill(server.pid(), SIGSTOP);
  const std::string payload(100'000, 'x');
  std::string code;
  for (int i = 0; i < 1000 && code.empty(); ++i) { // the kernel's socket buffers take some, too
    const auto sent = client->publish({.subject = "a", .payload = payload});
    if (!sent) code = sent.error().code;
  }
  ::kill(server.pid(), SIGCONT);
  CHECK(code == transport_error::kOverflow);
  CHECK(client->flush(20s));
  CHECK(client->publish({.subject = "a", .payload = payload}));
}

TEST_CASE("messages lost to a callback that is too slow are reported") {
  const NatsServer server;
  const auto loop = start_loop();
  Log log;
  auto options = log.options(server.url());
  options.max_undelivered = 10;
  std::promise<void> opened;
  const auto client = open_connected(*loop, std::move(options));
  const auto subscription =
      client->subscribe("a", "", [gate = opened.get_future().share()](MessagePtr) { gate.wait(); });
  for (int i = 0; i < 100; ++i)
    REQUIRE(client->publish({.subject = "a"}));
  CHECK(wait_until([&] { return log.has_problem(connect_error::kSlowConsumer, "a"); }));
  opened.set_value();
}

TEST_CASE("credentials for a server that asks for none do no harm") {
  const OperatorMode mode;
  const NatsServer server({.jetstream = false}); // sends no nonce to sign
  const auto loop = start_loop();
  auto options = Log::plain_options(server.url());
  options.credentials = [&]() -> Result<ConnectionCredentials> { return mode.user(1h); };
  const auto client = open_connected(*loop, std::move(options));
  CHECK(client->flush(5s));
}

TEST_CASE("a server without TLS is not talked to when TLS was asked for") {
  const NatsServer server;
  const auto loop = start_loop();
  Log log;
  const auto client = NatsTransport::open(*loop, log.options("tls://127.0.0.1:" + std::to_string(server.port())));
  CHECK(wait_until([&] { return log.count_problems(connect_error::kFailed) >= 2; }));
  CHECK(client->counts().connects == 0);
}
