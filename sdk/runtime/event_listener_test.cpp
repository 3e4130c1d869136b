// Live listeners without a server: order, bounds, failures.
#include "runtime/event_listener.h"
#include "runtime/fake_transport.h"
#include "runtime/rpc_fixture.h"
#include <catch2/catch_test_macros.hpp>
#include <deque>

using namespace trellis;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  std::vector<std::string> handled, reports;
  std::deque<EventTask> tasks;
  bool full = false;
  std::string failing;
  EventHandler handler{std::make_shared<const EventType>(EventType{"c@v1", "E.X", "events.v1.E.X.{/a}.{/b}",
                                                                   test::schema_of(R"({"type":"object"})")}),
                       [this](const EventDelivery &event) -> Result<void> {
                         handled.push_back(event.payload);
                         if (event.payload == failing) return fail("handler", "E.X", "told to fail");
                         return {};
                       }};
  EventListener listener{handler,
                         [this](const EventTask &task) {
                           if (full) return false;
                           tasks.push_back(task);
                           return true;
                         },
                         2,
                         [this](const EventReport &report) {
                           reports.push_back(std::to_string(static_cast<int>(report.kind)) + "x" +
                                             std::to_string(report.times));
                         }};

  void arrive(const std::string &payload) {
    test::FakeMessage message;
    message.subject_text = "events.v1.E.X.1.2";
    message.payload_text = payload;
    listener.arrive(test::to_message(std::move(message)));
  }
  void run_all() {
    while (!tasks.empty()) {
      const auto task = tasks.front();
      tasks.pop_front();
      task.run(task.owner, task.argument);
    }
  }
  static std::string report(EventReport::Kind kind, int times = 1) {
    return std::to_string(static_cast<int>(kind)) + "x" + std::to_string(times);
  }
};

} // namespace

TEST_CASE("a listener hears every token that its subject data leaves open") {
  const Fixture fixture;
  const auto &type = *fixture.handler.type;
  CHECK(listener_subject(type, "").value() == "events.v1.E.X.*.*");
  CHECK(listener_subject(type, R"({"a":"x.y","b":"*"})").value() == "events.v1.E.X.x~2E~y.*");
  CHECK(listener_subject(type, "[]").error().code == "subject_data");
}

TEST_CASE("events are handled one at a time in their order, and a failing one ends nothing") {
  Fixture fixture;
  fixture.failing = R"({"n":1})";
  fixture.arrive(R"({"n":1})");
  fixture.arrive(R"({"n":2})");
  CHECK(fixture.tasks.size() == 1);
  fixture.run_all();
  fixture.arrive("no json");
  fixture.arrive(R"({"n":3})");
  fixture.run_all();
  CHECK(fixture.handled == std::vector<std::string>{R"({"n":1})", R"({"n":2})", R"({"n":3})"});
  CHECK(fixture.reports == std::vector<std::string>{Fixture::report(EventReport::Kind::handler_failed),
                                                    Fixture::report(EventReport::Kind::undecodable)});
  CHECK(fixture.listener.wait_idle(EventListener::Clock::now()));
}

TEST_CASE("beyond its bound a listener drops the newest, and says so") {
  Fixture fixture;
  for (int n = 1; n <= 4; ++n)
    fixture.arrive(R"({"n":)" + std::to_string(n) + "}");
  fixture.run_all();
  CHECK(fixture.handled == std::vector<std::string>{R"({"n":1})", R"({"n":2})"});
  CHECK(fixture.reports == std::vector<std::string>(2, Fixture::report(EventReport::Kind::dropped)));
}

TEST_CASE("when the plugin's queue is full an arriving event is dropped, and those that wait are still handled") {
  Fixture fixture;
  fixture.full = true;
  fixture.arrive(R"({"n":1})");
  CHECK(fixture.reports == std::vector<std::string>{Fixture::report(EventReport::Kind::dropped)});
  fixture.full = false;
  fixture.arrive(R"({"n":2})");
  fixture.arrive(R"({"n":3})");
  fixture.full = true; // no second task: the first goes on
  fixture.run_all();
  CHECK(fixture.handled == std::vector<std::string>{R"({"n":2})", R"({"n":3})"});
}

TEST_CASE("a stopped listener handles nothing more") {
  Fixture fixture;
  fixture.arrive(R"({"n":1})");
  CHECK(!fixture.listener.wait_idle(EventListener::Clock::now()));
  fixture.listener.stop();
  fixture.arrive(R"({"n":2})");
  fixture.run_all();
  CHECK(fixture.handled.empty());
}
