// Outbox and inbox with kill -9 between each of their steps, on a real nats-server: nothing is lost, nothing doubled.
#include "nats/nats_test_support.h"
#include "runtime/event_prepare.h"
#include "support/nats_server.h"
#include "support/process.h"
#include "transport/jetstream.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <random>
#include <rapidjson/document.h>
#include <set>
#include <trellis/inbox.h>
#include <trellis/outbox.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr int kKilled = 128 + SIGKILL;

struct Site {
  NatsServer server;
  TempDir dir;
  std::unique_ptr<NatsLoop> loop = start_loop();
  std::unique_ptr<NatsTransport> transport = open_connected(*loop, server.url());

  Site() {
    JetStream jetstream(*transport);
    REQUIRE(jetstream.create_stream("trellis", R"({"name":"trellis","subjects":["events.>"]})"));
    REQUIRE(jetstream.create_consumer(
        "trellis", R"({"durable_name":"c","filter_subjects":["events.v1.Order.Placed"],"ack_policy":"explicit",)"
                   R"("max_ack_pending":1,"ack_wait":300000000})"));
  }

  std::vector<std::string> argv(const std::string &mode, int count, int crash_at) const {
    const char *root = std::getenv("TRELLIS_BUILD_DIR");
    REQUIRE(root);
    return {std::string(root) + "/tests/live/outbox-child",
            mode,
            file(),
            server.url(),
            std::to_string(count),
            std::to_string(crash_at)};
  }
  std::string file() const { return (dir / "orders.sqlite").string(); }
  // Its exit status.
  int run(const std::string &mode, int count, int crash_at) {
    Process child(argv(mode, count, crash_at), dir / "log");
    const auto status = child.wait(60s);
    INFO(read_file(dir / "log"));
    REQUIRE(status);
    return *status;
  }

  std::vector<std::string> column(const std::string &query) const {
    sqlite3 *db = nullptr;
    REQUIRE(sqlite3_open(file().c_str(), &db) == SQLITE_OK);
    std::vector<std::string> out;
    {
      sql::Statement statement(db, query);
      while (statement.step())
        out.push_back(statement.text(0));
    }
    sqlite3_close_v2(db);
    return out;
  }
  std::uint64_t stored() {
    const auto info = JetStream(*transport).stream_info("trellis");
    REQUIRE(info);
    return (*info)["state"]["messages"].GetUint64();
  }
};

struct MemoryDatabase {
  MemoryDatabase() {
    REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
    Outbox::create(db);
    Inbox::create(db);
  }
  ~MemoryDatabase() { sqlite3_close_v2(db); }
  sqlite3 *db = nullptr;
};

std::string prepared(const std::string &id) {
  return R"({"event":"E","subject":"events.v1.E","payload":{"a":"\ud83d\ude00"},"encodedPayload":"{\"a\":1}",)"
         R"("headers":{"Nats-Msg-Id":")" +
         id + R"("}})";
}

const sql::Time kStart{std::chrono::milliseconds(1767225600000)};
const auto kPublished = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };

} // namespace

TEST_CASE("killed at every step of publishing, each order has its event in the stream exactly once") {
  Site site;
  // The n-th step of each new process: what is done stays done, so that later processes reach later steps.
  for (int crash_at = 1; crash_at <= 24; ++crash_at)
    REQUIRE(site.run("produce", 1000, crash_at) == kKilled);
  const auto orders = site.column("SELECT number FROM orders");
  CHECK(site.run("produce", static_cast<int>(orders.size()), 0) == 0);
  CHECK(site.stored() == orders.size());
  CHECK(site.column("SELECT id FROM trellis_outbox WHERE state = 'dispatched'").size() == orders.size());
}

TEST_CASE("killed at any time, the dispatcher's thread loses and doubles nothing") {
  Site site;
  std::mt19937 random(7);
  constexpr int kOrders = 150;
  for (int i = 0; i < 6; ++i) {
    Process child(site.argv("dispatch", kOrders, 0), site.dir / "log");
    if (child.wait(std::chrono::milliseconds(std::uniform_int_distribution(150, 600)(random)))) break;
    child.signal(SIGKILL);
    child.wait();
  }
  CHECK(site.run("dispatch", kOrders, 0) == 0);
  CHECK(site.stored() == kOrders);
}

TEST_CASE("killed at every step of consuming, each event has its effect exactly once") {
  Site site;
  constexpr int kEvents = 30;
  REQUIRE(site.run("produce", kEvents, 0) == 0);
  for (int crash_at = 1; crash_at <= 12; ++crash_at)
    REQUIRE(site.run("consume", kEvents, crash_at) == kKilled);
  CHECK(site.run("consume", kEvents, 0) == 0);
  const auto effects = site.column("SELECT message FROM effects");
  CHECK(effects.size() == kEvents);
  CHECK(std::set<std::string>(effects.begin(), effects.end()).size() == kEvents);
}

TEST_CASE("what a killed dispatcher had claimed is due again when its lease ends, and not before") {
  const MemoryDatabase memory;
  REQUIRE(Outbox::enqueue(memory.db, prepared("a"), {}, kStart));
  CHECK(!Outbox::enqueue(memory.db, prepared("a"), {}, kStart));
  REQUIRE(Outbox::claim(memory.db, kStart).size() == 1); // and it is killed
  CHECK(Outbox::claim(memory.db, kStart + 14s).empty());
  const auto result = Outbox::dispatch(memory.db, kPublished, [] { return kStart + 15s; });
  CHECK(result == DispatchResult{1, 0});
  CHECK(Outbox::records(memory.db).front().state == "dispatched");
  CHECK(Outbox::forget_dispatched(memory.db, kStart + 15s) == 0);
  CHECK(Outbox::forget_dispatched(memory.db, kStart + 16s) == 1);
}

TEST_CASE("a dispatcher whose lease has ended can't mark as failed what another has published since") {
  const MemoryDatabase memory;
  Outbox::enqueue(memory.db, prepared("a"), {}, kStart);
  const auto slow = Outbox::claim(memory.db, kStart).front();
  Outbox::dispatch(memory.db, kPublished, [] { return kStart + 20s; });
  Outbox::mark_failed(memory.db, slow, "timed out", kStart + 21s);
  CHECK(Outbox::records(memory.db).front().state == "dispatched");
  CHECK(Outbox::records(memory.db).front().attempts == 0);
}

TEST_CASE("what the lease doesn't cover any more is given back unpublished") {
  const MemoryDatabase memory;
  for (const char *id : {"a", "b", "c"})
    Outbox::enqueue(memory.db, prepared(id), {}, kStart);
  auto now = kStart;
  const auto slow = [&](std::string_view) -> std::optional<std::string> {
    now += 6s;
    return std::nullopt;
  };
  CHECK(Outbox::dispatch(memory.db, slow, [&] { return now; }) == DispatchResult{2, 0});
  const auto third = Outbox::records(memory.db)[2];
  CHECK(third.state == "pending");
  CHECK(!third.next_attempt_at);
}

TEST_CASE("a stored event is published with its text and headers unchanged") {
  const MemoryDatabase memory;
  Outbox::enqueue(memory.db, prepared("a"), {}, kStart);
  std::string published;
  Outbox::dispatch(
      memory.db,
      [&](std::string_view text) -> std::optional<std::string> {
        published = text;
        return std::nullopt;
      },
      [] { return kStart; });
  const auto event = parse_prepared_event(published);
  REQUIRE(event);
  CHECK(event->payload == R"({"a":1})");
  CHECK(event->id() == "a");
}

TEST_CASE("what is no prepared event, no id or no table name is refused") {
  const MemoryDatabase memory;
  CHECK_THROWS_AS(Outbox::enqueue(memory.db, "[]"), std::invalid_argument);
  CHECK_THROWS_AS(Outbox::enqueue(memory.db, R"({"event":"E","headers":{}})"), std::invalid_argument);
  CHECK_THROWS_AS(Inbox::accept(memory.db, ""), std::invalid_argument);
  CHECK_THROWS_AS(Inbox::create(memory.db, "a; DROP TABLE b"), std::invalid_argument);
  CHECK(Inbox::accept(memory.db, "a"));
  CHECK(!Inbox::accept(memory.db, "a"));
}
