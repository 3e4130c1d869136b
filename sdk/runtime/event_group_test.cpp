// Consumer groups on a real nats-server: slow handlers, full queues, ends and beginnings.
#include "nats/nats_test_support.h"
#include "runtime/event_group.h"
#include "runtime/event_publisher.h"
#include "runtime/rpc_fixture.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "transport/jetstream.h"
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <map>
#include <optional>
#include <pthread.h>
#include <rapidjson/document.h>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kStream[] = R"({"name":"trellis","subjects":["events.>"]})";

// A server with the stream and one consumer, and groups on it whose handlers are told how to behave.
struct Site {
  NatsServer server;
  std::unique_ptr<NatsLoop> loop = start_loop();
  std::unique_ptr<NatsTransport> transport;
  std::mutex mutex; // guards what follows
  std::condition_variable changed;
  std::vector<std::string> handled; // "payload delivery"
  std::map<std::string, bool> failing;
  bool hold = false;
  int begun = 0;
  std::vector<std::string> reports;

  explicit Site(const std::string &consumer = R"("max_deliver":5)") {
    transport = open_connected(*loop, server.url());
    JetStream jetstream(*transport);
    REQUIRE(jetstream.create_stream("trellis", kStream));
    const auto made = jetstream.create_consumer(
        "trellis",
        R"({"durable_name":"c","filter_subjects":["events.v1.E"],"ack_policy":"explicit","max_ack_pending":1,)" +
            consumer + "}");
    INFO((made ? "" : made.error().text()));
    REQUIRE(made);
  }

  void publish(const std::string &payload) { REQUIRE(JetStream(*transport).publish("events.v1.E", payload)); }

  EventGroupConfig config(PostEventTask post) {
    EventGroupConfig out;
    out.group = "g";
    out.consumer = {"trellis", "c"};
    out.inbox_prefix = "_INBOX.test";
    out.events = {{"c@v1", "E"}};
    out.restart_min = 20ms;
    out.post = std::move(post);
    out.report = [this](const EventReport &report) {
      const std::lock_guard lock(mutex);
      reports.push_back(std::to_string(static_cast<int>(report.kind)));
    };
    out.handlers = {
        {std::make_shared<const EventType>(EventType{"c@v1", "E", "events.v1.E", schema_of(R"({"type":"object"})")}),
         [this](const EventDelivery &event) { return handle(event); }}};
    return out;
  }

  Result<void> handle(const EventDelivery &event) {
    std::unique_lock lock(mutex);
    ++begun;
    changed.notify_all();
    changed.wait(lock, [&] { return !hold; });
    handled.push_back(event.payload + " " + std::to_string(event.delivery));
    changed.notify_all();
    if (failing[event.payload]) return fail("handler", "E", "told to fail");
    return {};
  }

  bool wait(const std::function<bool()> &condition, std::chrono::milliseconds limit = 20s) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, limit, condition);
  }
  bool wait_handled(std::size_t count) {
    return wait([&] { return handled.size() >= count; });
  }
  std::vector<std::string> handled_now() {
    const std::lock_guard lock(mutex);
    return handled;
  }
  void set_hold(bool value) {
    const std::lock_guard lock(mutex);
    hold = value;
    changed.notify_all();
  }
  double left() { // not delivered, or not acknowledged
    const auto info = JetStream(*transport).consumer_info("trellis", "c");
    REQUIRE(info);
    return (*info)["num_pending"].GetDouble() + (*info)["num_ack_pending"].GetDouble();
  }
};

// The site's transport, but each pull is sent twice: what a group sees when the pull before was only thought lost.
struct DoublePulls : Transport {
  Transport &real;
  explicit DoublePulls(Transport &transport) : real(transport) {}

  Result<void> publish(const Outbound &message) override {
    const bool is_pull = message.subject.starts_with("$JS.API.CONSUMER.MSG.NEXT.");
    if (auto sent = real.publish(message); !sent || !is_pull) return sent;
    return real.publish(message);
  }
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string group, OnMessage take) override {
    return real.subscribe(std::move(subject), std::move(group), std::move(take));
  }
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override {
    real.request(message, timeout, std::move(on_reply));
  }
  std::size_t max_payload() const override { return real.max_payload(); }
  Result<void> flush(std::chrono::milliseconds timeout) override { return real.flush(timeout); }
};

// A thread for the tasks, as a plugin's worker.
class Worker {
public:
  PostEventTask poster() {
    return [this](const EventTask &task) {
      const std::lock_guard lock(mutex_);
      if (full_) return false;
      tasks_.push_back(task);
      changed_.notify_all();
      return true;
    };
  }
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  void set_full(bool value) {
    const std::lock_guard lock(mutex_);
    full_ = value;
  }

private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return ended_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const auto task = tasks_.front();
      tasks_.erase(tasks_.begin());
      lock.unlock();
      task.run(task.owner, task.argument);
      lock.lock();
    }
  }

  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::vector<EventTask> tasks_;
  bool full_ = false, ended_ = false;
  std::thread thread_{[this] { run(); }};
};

auto soon() {
  return EventGroup::Clock::now() + 20s;
}

void finish(EventGroup &group) {
  group.drain();
  CHECK(group.wait_idle(soon()));
  CHECK(group.stop(soon()));
}

} // namespace

TEST_CASE("a handler that takes longer than the ack deadline gets its event once") {
  Site site(R"("ack_wait":1000000000,"max_deliver":5)");
  Worker worker;
  EventGroup group(*site.transport, site.config(worker.poster()));
  site.set_hold(true);
  site.publish(R"({"n":1})");
  REQUIRE(site.wait([&] { return site.begun == 1; }));
  // Several deadlines pass; the server would have delivered it again.
  CHECK(!site.wait([&] { return site.begun > 1; }, 2500ms));
  site.set_hold(false);
  CHECK(wait_until([&] { return site.left() == 0; }));
  finish(group);
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 1)"});
}

TEST_CASE("a failed event comes again after the consumer's backoff, and a later one waits for it") {
  Site site(R"("max_deliver":3,"backoff":[300000000,300000000])");
  Worker worker;
  EventGroup group(*site.transport, site.config(worker.poster()));
  site.failing[R"({"n":1})"] = true;
  const auto begun = std::chrono::steady_clock::now();
  site.publish(R"({"n":1})");
  site.publish(R"({"n":2})");
  REQUIRE(site.wait_handled(4));
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took >= 600ms);
  CHECK(took < 5s); // the last NAK has no delay
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 1)", R"({"n":1} 2)", R"({"n":1} 3)", R"({"n":2} 1)"});
  finish(group);
}

TEST_CASE("a handler that ends its thread has failed, and its event comes again") {
  Site site(R"("max_deliver":3,"backoff":[100000000,100000000])");
  std::vector<std::jthread> threads; // one for each task
  auto config = site.config([&](const EventTask &task) {
    threads.emplace_back([task] { task.run(task.owner, task.argument); });
    return true;
  });
  config.handlers[0].handle = [&](const EventDelivery &event) {
    if (event.delivery == 1) pthread_exit(nullptr);
    return site.handle(event);
  };
  EventGroup group(*site.transport, std::move(config));
  site.publish(R"({"n":1})");
  CHECK(site.wait_handled(1));
  CHECK(wait_until([&] { return site.left() == 0; }));
  finish(group);
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 2)"});
}

TEST_CASE("while the plugin's queue is full the group waits with its event, and loses nothing") {
  Site site(R"("ack_wait":1000000000,"max_deliver":2)");
  Worker worker;
  worker.set_full(true);
  EventGroup group(*site.transport, site.config(worker.poster()));
  site.publish(R"({"n":1})");
  site.publish(R"({"n":2})");
  const auto crowded = std::to_string(static_cast<int>(EventReport::Kind::crowded));
  REQUIRE(wait_until([&] {
    const std::lock_guard lock(site.mutex);
    return std::count(site.reports.begin(), site.reports.end(), crowded) > 120; // longer than two deadlines
  }));
  worker.set_full(false);
  REQUIRE(site.wait_handled(2));
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 1)", R"({"n":2} 1)"});
  finish(group);
}

TEST_CASE("what a stopped group was delivered and hasn't begun goes to its successor at once") {
  Site site(R"("ack_wait":60000000000,"max_deliver":5)");
  Worker worker;
  worker.set_full(true);
  {
    EventGroup group(*site.transport, site.config(worker.poster()));
    site.publish(R"({"n":1})");
    REQUIRE(wait_until([&] {
      const std::lock_guard lock(site.mutex);
      return site.reports.size() > 1;
    }));
    group.drain();
    CHECK(!group.wait_idle(EventGroup::Clock::now() + 50ms));
    CHECK(group.stop(EventGroup::Clock::now()));
  }
  worker.set_full(false);
  EventGroup successor(*site.transport, site.config(worker.poster()));
  REQUIRE(site.wait_handled(1));
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 2)"});
  finish(successor);
  CHECK(site.left() == 0);
}

TEST_CASE("a group that is stopped under a handler gives back what waits behind it, and leaves the handler its event") {
  Site site(R"("max_ack_pending":2,"ack_wait":60000000000,"max_deliver":5)");
  site.publish(R"({"n":1})");
  site.publish(R"({"n":2})");
  site.set_hold(true);
  DoublePulls pulls(*site.transport);
  std::optional<Worker> stuck(std::in_place);
  EventGroup group(pulls, site.config(stuck->poster()));
  REQUIRE(site.wait([&] { return site.begun == 1; }));
  REQUIRE(wait_until([&] {
    const auto info = JetStream(*site.transport).consumer_info("trellis", "c");
    return info && (*info)["num_ack_pending"].GetInt() == 2;
  }));
  REQUIRE(site.transport->flush(5s)); // the second has arrived, too
  group.drain();
  CHECK(!group.stop(EventGroup::Clock::now()));
  site.set_hold(false);
  REQUIRE(site.wait_handled(1));
  stuck.reset(); // until its thread has returned, the group stays

  Worker worker;
  EventGroup successor(*site.transport, site.config(worker.poster()));
  CHECK(site.wait_handled(2));
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 1)", R"({"n":2} 2)"});
  finish(successor);
}

TEST_CASE("a drained group finishes the event that its handler has, and pulls no other") {
  Site site;
  Worker worker;
  site.set_hold(true);
  EventGroup group(*site.transport, site.config(worker.poster()));
  site.publish(R"({"n":1})");
  site.publish(R"({"n":2})");
  REQUIRE(site.wait([&] { return site.begun == 1; }));
  group.drain();
  site.set_hold(false);
  CHECK(group.wait_idle(soon()));
  CHECK(group.stop(soon()));
  CHECK(site.handled_now() == std::vector<std::string>{R"({"n":1} 1)"});
  CHECK(wait_until([&] { return site.left() == 1; }));
}

TEST_CASE("a group whose consumer is missing tries again until it is there") {
  Site site;
  REQUIRE(JetStream(*site.transport).delete_consumer("trellis", "c"));
  Worker worker;
  EventGroup group(*site.transport, site.config(worker.poster()));
  const auto restarting = std::to_string(static_cast<int>(EventReport::Kind::restarting));
  REQUIRE(wait_until([&] {
    const std::lock_guard lock(site.mutex);
    return std::count(site.reports.begin(), site.reports.end(), restarting) >= 2;
  }));
  REQUIRE(JetStream(*site.transport)
              .create_consumer("trellis",
                               R"({"durable_name":"c","filter_subjects":["events.v1.E"],"ack_policy":"explicit"})"));
  site.publish(R"({"n":1})");
  CHECK(site.wait_handled(1));
  finish(group);
}

TEST_CASE("after the server was killed and has come back the group goes on as soon as it is told") {
  // The server writes acknowledgements down at its leisure: after a kill it may wait for this one again.
  Site site(R"("max_deliver":5,"ack_wait":1000000000)");
  Worker worker;
  EventGroup group(*site.transport, site.config(worker.poster()));
  site.publish(R"({"n":1})");
  REQUIRE(site.wait_handled(1));
  REQUIRE(wait_until([&] { return site.left() == 0; }));
  site.server.kill();
  REQUIRE(wait_until([&] { return site.transport->state() != ConnectionState::connected; }));
  site.server.start();
  REQUIRE(site.transport->wait_connected(20s));
  group.connected();
  REQUIRE(wait_until([&] { return JetStream(*site.transport).publish("events.v1.E", R"({"n":2})").has_value(); }));
  REQUIRE(site.wait([&] { return std::count(site.handled.begin(), site.handled.end(), R"({"n":2} 1)") == 1; }));
  finish(group);
}
