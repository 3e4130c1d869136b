// The lane with its threads; NATS is recorded.
#include "callout.h"

#include "callout_testing.h"
#include "support/wait_until.h"
#include "wire/jwt.h"
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <mutex>

using namespace trellis;
using namespace trellis::auth;
using auth::testing::Domain;
using auth::testing::ServerSide;

namespace {

constexpr char kSubject[] = "$SYS.REQ.USER.AUTH";

struct Setup {
  Domain domain;
  ServerSide server;
  CalloutKeys keys = auth::testing::generated_callout_keys();
  std::string xkey = keys.xkey.public_text();
  Callout callout{domain.core, domain.connections, std::move(keys)};

  bool ask(const std::string &reply, std::string_view client_ip = "192.0.2.10") {
    const auto info = R"({"host":")" + std::string(client_ip) + R"(","id":77})";
    const auto payload =
        server.sealed(server.request_jwt(server.nats_claims("{", info), domain.now / 1000), xkey); // invalid_auth_token
    return domain.auth.deliver(kSubject, reply, std::string(as_text(payload)),
                               {{"Nats-Server-Xkey", server.xkey.public_text()}});
  }
  std::size_t answers() const { return domain.journal.with_prefix("reply.").size(); }
};

// Holds the callouts' log lines, and with them the thread that writes one.
class Gate {
public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_inside(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool open_ = false;
};

} // namespace

TEST_CASE("a callout that arrives is answered to its reply subject") {
  Setup setup;
  CalloutLane lane(setup.domain.core, setup.callout, setup.domain.auth);
  REQUIRE(lane.start());
  REQUIRE(setup.ask("reply.1"));
  REQUIRE(test::wait_until([&] { return setup.answers() == 1; }));
  const auto answer = setup.domain.journal.with_prefix("reply.").at(0);
  CHECK(answer.subject == "reply.1");
  const auto response = decode_jwt(setup.server.opened(as_bytes(answer.payload), setup.xkey));
  REQUIRE(response);
  CHECK(response->audience == setup.server.server.public_text());
}

TEST_CASE("a request that can't be read gets an empty reply") {
  Setup setup;
  CalloutLane lane(setup.domain.core, setup.callout, setup.domain.auth);
  REQUIRE(lane.start());
  setup.domain.auth.deliver(kSubject, "reply.1", "{}");
  REQUIRE(test::wait_until([&] { return setup.answers() == 1; }));
  CHECK(setup.domain.journal.with_prefix("reply.").at(0).payload.empty());
}

TEST_CASE("many callouts are all answered, from one address and from many") {
  Setup setup;
  CalloutLane lane(setup.domain.core, setup.callout, setup.domain.auth);
  REQUIRE(lane.start());
  for (int i = 0; i < 200; ++i)
    setup.ask("reply." + std::to_string(i), i % 2 ? "flood" : "ip" + std::to_string(i));
  CHECK(test::wait_until([&] { return setup.answers() == 200; }));
}

TEST_CASE("a flood beyond the queues is left unanswered, and one line says how much of it") {
  Setup setup;
  Gate gate;
  setup.domain.core.log = [&](Level, std::string_view message, std::string_view fields) {
    if (message == "auth callout denied") gate.pass();
    const std::lock_guard lock(setup.domain.log_mutex);
    setup.domain.log_lines.push_back(std::string(message).append(" ").append(fields));
  };
  CalloutLane lane(setup.domain.core, setup.callout, setup.domain.auth);
  REQUIRE(lane.start());
  setup.ask("reply.first");
  setup.ask("reply.second");
  gate.wait_inside(2); // both threads are busy
  for (int i = 0; i < 1030; ++i)
    setup.ask("reply." + std::to_string(i));
  gate.open();
  // 1024 fit into the arrivals; of those, one address gets 8 admitted and 256 waiting at a time.
  const auto dropped_lines = [&] {
    const std::lock_guard lock(setup.domain.log_mutex);
    std::size_t lines = 0;
    for (const auto &line : setup.domain.log_lines)
      lines += line.find("rate_limited") != std::string::npos;
    return lines;
  };
  CHECK(test::wait_until([&] { return dropped_lines() >= 1 && setup.answers() >= 2 + 256; }));
  CHECK(setup.answers() <= 2 + 1024);
}

TEST_CASE("the end waits for the handlers in flight, and nothing is delivered afterwards") {
  Setup setup;
  Gate gate;
  setup.domain.core.log = [&](Level, std::string_view, std::string_view) { gate.pass(); };
  auto lane = std::make_unique<CalloutLane>(setup.domain.core, setup.callout, setup.domain.auth);
  REQUIRE(lane->start());
  setup.ask("reply.1");
  gate.wait_inside(1);
  std::thread opener([&] { gate.open(); });
  lane.reset();
  opener.join();
  CHECK(setup.answers() == 1);
  CHECK_FALSE(setup.ask("reply.2"));
}
