// A program that is killed while it publishes through an outbox, or consumes through an inbox, and is started again:
// outbox_test.cpp.
//
//   outbox-child produce|dispatch|consume DATABASE NATS-URL COUNT CRASH-AT
//
// produce: COUNT orders, each with its event, step by step; dispatch: the same with the dispatcher's thread; consume:
// COUNT events. CRASH-AT n: SIGKILL at the n-th step; 0: none. Ends with 0 when everything is done.
#include "nats/nats_test_support.h"
#include "runtime/event_group.h"
#include "runtime/event_publisher.h"
#include "support/wait_until.h"
#include <atomic>
#include <csignal>
#include <iostream>
#include <rapidjson/document.h>
#include <string>
#include <trellis/inbox.h>
#include <trellis/outbox.h>
#include <unistd.h>

using namespace trellis;
using namespace std::chrono_literals;

namespace {

int crash_at = 0;
std::atomic<int> steps = 0;

void step() {
  if (++steps == crash_at) ::kill(::getpid(), SIGKILL);
}

OutboxOptions options() {
  OutboxOptions out;
  out.publish_time = 2000ms;
  out.lease = 2500ms;
  out.retry = 50ms;
  out.poll = 50ms;
  return out;
}

struct Database {
  explicit Database(const char *file) {
    if (sqlite3_open(file, &db) != SQLITE_OK) throw std::runtime_error("no database");
    sqlite3_busy_timeout(db, 10000);
    sql::run(db, "PRAGMA journal_mode = WAL");
    Outbox::create(db, options());
    Inbox::create(db);
    sql::run(db, "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY)");
    sql::run(db, "CREATE TABLE IF NOT EXISTS effects (message TEXT NOT NULL)");
  }
  ~Database() { sqlite3_close_v2(db); }
  std::int64_t number(const std::string &query) const {
    sql::Statement statement(db, query);
    return statement.step() ? statement.number(0) : 0;
  }
  sqlite3 *db = nullptr;
};

std::shared_ptr<const EventType> order_placed() {
  auto schema = Schema::compile(*parse_json(R"({"type":"object","required":["number"]})"));
  return std::make_shared<const EventType>(EventType{"c@v1", "Order.Placed", "events.v1.Order.Placed", *schema});
}

PublishPrepared publisher(Transport &transport) {
  return [&transport](std::string_view prepared) -> std::optional<std::string> {
    step(); // claimed, not published
    const auto published = publish_event_and_wait(transport, *parse_prepared_event(prepared), 2000ms);
    step(); // published, not marked
    if (published) return std::nullopt;
    return published.error().envelope.to_json();
  };
}

void place_order(Database &database, std::int64_t number) {
  const auto payload = "{\"number\":" + std::to_string(number) + "}";
  const auto event = prepare_event(*order_placed(), payload, new_event_header());
  sql::Transaction transaction(database.db);
  sql::Statement(database.db, "INSERT INTO orders VALUES (?)").bind(number).step();
  step();
  Outbox::enqueue(database.db, event->to_json(), options());
  step();
  transaction.commit();
  step();
}

void produce(Database &database, Transport &transport, std::int64_t count) {
  const auto dispatch = [&] {
    Outbox::dispatch(database.db, publisher(transport), &sql::now, options());
    step();
  };
  for (auto next = database.number("SELECT count(*) FROM orders") + 1; next <= count; ++next) {
    place_order(database, next);
    dispatch();
  }
  const auto is_done = [&] {
    dispatch();
    return database.number("SELECT count(*) FROM trellis_outbox WHERE state <> 'dispatched'") == 0;
  };
  while (!test::wait_until(is_done, 1s)) {
  }
}

void produce_with_thread(Database &database, const char *file, Transport &transport, std::int64_t count) {
  OutboxDispatcher dispatcher(file, publisher(transport), options());
  for (auto next = database.number("SELECT count(*) FROM orders") + 1; next <= count; ++next) {
    place_order(database, next);
    dispatcher.wake();
  }
  while (!test::wait_until(
      [&] { return database.number("SELECT count(*) FROM trellis_outbox WHERE state <> 'dispatched'") == 0; }, 1s)) {
  }
}

void consume(Database &database, NatsTransport &transport, std::int64_t count) {
  EventGroupConfig config;
  config.group = "g";
  config.consumer = {"trellis", "c"};
  config.inbox_prefix = "_INBOX.test";
  config.events = {{"c@v1", "Order.Placed"}};
  config.post = [](const EventTask &task) {
    task.run(task.owner, task.argument);
    return true;
  };
  config.report = [](const EventReport &) {};
  std::atomic<std::int64_t> done = database.number("SELECT count(*) FROM effects");
  config.handlers = {{order_placed(), [&](const EventDelivery &event) -> Result<void> {
                        step(); // delivered
                        sql::Transaction transaction(database.db);
                        if (!Inbox::accept(database.db, event.id)) return {};
                        step();
                        sql::Statement(database.db, "INSERT INTO effects VALUES (?)").bind(event.payload).step();
                        step();
                        transaction.commit();
                        step(); // not acknowledged
                        ++done;
                        return {};
                      }}};
  EventGroup group(transport, std::move(config));
  while (!test::wait_until([&] { return done >= count; }, 1s)) {
  }
  group.drain();
  group.stop(EventGroup::Clock::now() + 10s);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  const std::string mode = argv[1];
  const auto count = std::stoll(argv[4]);
  crash_at = std::stoi(argv[5]);
  Database database(argv[2]);
  const auto loop = test::start_loop();
  const auto transport = test::open_connected(*loop, argv[3]);
  if (mode == "produce") produce(database, *transport, count);
  if (mode == "dispatch") produce_with_thread(database, argv[2], *transport, count);
  if (mode == "consume") consume(database, *transport, count);
  std::cout << "steps " << steps << std::endl;
  return 0;
}
