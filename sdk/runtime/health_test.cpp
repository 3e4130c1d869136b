// Checks and heartbeats without a server: what hangs, what fails, and what is published.
#include "runtime/fake_transport.h"
#include "runtime/health_reporter.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <latch>
#include <pthread.h>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

HealthCheck fine() {
  return {};
}

// A thread for each check, which all end with this object.
class Threads {
public:
  bool post(HealthChecks &checks, std::size_t index) {
    threads_.emplace_back([&checks, index] { checks.execute(index); });
    return true;
  }
  std::size_t count() const { return threads_.size(); }
  void join() { threads_.clear(); }

private:
  std::vector<std::jthread> threads_;
};

std::vector<HealthCheck> run(HealthChecks &checks, Threads &threads, std::chrono::milliseconds limit = 20s) {
  return checks.run(
      limit, [&](std::size_t index) { return threads.post(checks, index); }, [] {});
}

// A transport that keeps what is published and acknowledges it.
struct Stream {
  ScriptedTransport transport;
  std::mutex mutex; // guards what follows
  std::condition_variable arrived;
  std::vector<std::string> payloads, ids;
  bool acknowledges = true;

  Stream() {
    transport.on_request = [this](const Outbound &message, std::chrono::milliseconds,
                                  const Transport::OnReply &on_reply) {
      bool acknowledge = false;
      {
        const std::lock_guard lock(mutex);
        payloads.emplace_back(message.payload);
        ids.push_back(message.headers->at(0).name == "Nats-Msg-Id" ? message.headers->at(0).value : "");
        acknowledge = acknowledges && message.subject == kHeartbeatSubject;
        arrived.notify_all();
      }
      if (acknowledge) on_reply(reply_message(R"({"stream":"trellis","seq":1})"));
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return arrived.wait_for(lock, 20s, [&] { return payloads.size() >= count; });
  }
};

HealthService billing(std::int64_t interval_ms) {
  HealthService service;
  service.name = "billing";
  service.instance_id = "01JZ0000000000000000000000";
  service.contract_id = "acme.billing@v1";
  service.contract_digest = "digest";
  service.started_at = "2026-01-01T00:00:00.000Z";
  service.publish_interval_ms = interval_ms;
  return service;
}

} // namespace

TEST_CASE("checks run side by side, and their results come in their order") {
  std::latch both(2);
  const auto meets = [&] {
    both.arrive_and_wait();
    return HealthCheck{};
  };
  HealthChecks checks({{"first", meets}, {"second", meets}});
  Threads threads;
  const auto results = run(checks, threads);
  REQUIRE(results.size() == 2);
  CHECK(results[0].name == "first");
  CHECK(results[0].ok);
  CHECK(results[1].name == "second");
  CHECK(results[1].ok);
}

TEST_CASE("a check that hangs is failed, isn't started again, and counts again once it came back") {
  std::promise<void> comes_back;
  std::atomic<int> started = 0;
  HealthChecks checks({{"hangs", [&] {
                          if (++started == 1) comes_back.get_future().wait();
                          return HealthCheck{};
                        }}});
  Threads threads;
  const auto first = run(checks, threads, 1ms);
  CHECK_FALSE(first[0].ok);
  CHECK(first[0].info == R"({"errorType":"TimeoutError"})");
  CHECK_FALSE(run(checks, threads, 1ms)[0].ok);
  CHECK(threads.count() == 1);
  comes_back.set_value();
  threads.join();
  CHECK(run(checks, threads)[0].ok);
  CHECK(started == 2);
}

TEST_CASE("a check that runs already is waited for from its own start, and its answer is shared") {
  std::promise<void> comes_back;
  std::atomic<int> started = 0;
  HealthChecks checks({{"slow", [&] {
                          ++started;
                          comes_back.get_future().wait();
                          return HealthCheck{};
                        }}});
  Threads threads;
  CHECK_FALSE(run(checks, threads, 1ms)[0].ok);
  const auto joined = checks.run(
      20s, [](std::size_t) { return false; }, [&] { comes_back.set_value(); });
  CHECK(joined[0].ok);
  CHECK(started == 1);
}

TEST_CASE("a check that ends its thread has failed, and is asked again") {
  HealthChecks checks({{"gone", []() -> HealthCheck { pthread_exit(nullptr); }}});
  Threads threads;
  for (int i = 0; i < 2; ++i) {
    const auto results = run(checks, threads);
    CHECK(results[0].error == "the check ended its thread");
    threads.join();
  }
}

TEST_CASE("a check that finds no thread is failed and says so") {
  HealthChecks checks({{"waits", fine}});
  const auto never_runs = [](std::size_t) { return true; };
  const auto waited = checks.run(1ms, never_runs, [] {});
  CHECK(waited[0].error.value().find("no thread was free") != std::string::npos);
  checks.execute(0); // late: nobody waits for this result any more
  Threads threads;
  CHECK(run(checks, threads)[0].ok);
  const auto refused = checks.run(
      20s, [](std::size_t) { return false; }, [] {});
  CHECK(refused[0].error.value().find("queue is full") != std::string::npos);
  CHECK(run(checks, threads)[0].ok);
}

TEST_CASE("a heartbeat goes out at once and then at its interval, with an id that the stream knows") {
  Stream stream;
  const auto checks = std::make_shared<HealthChecks>(
      std::vector<NamedCheck>{{"disk", [] { return failed_check("", "full", "DiskError", ""); }}, {"hidden", fine}});
  Threads threads;
  std::atomic<int> published = 0;
  HealthReporter reporter(stream.transport, checks, 1,
                          {.service = billing(20),
                           .post = [&](std::size_t index) { return threads.post(*checks, index); },
                           .info = [] { return std::optional<std::string>(R"({"shelves":3})"); },
                           .on_published = [&](const Result<void> &done) { published += done ? 1 : 0; }});
  reporter.start();
  REQUIRE(stream.wait_for(3));
  reporter.stop();
  CHECK(published >= 2);

  const auto beat = parse_health_heartbeat(stream.payloads[0]).value();
  CHECK(beat.event_id == stream.ids[0]);
  CHECK(stream.ids[0] != stream.ids[1]);
  CHECK(beat.service.name == "billing");
  CHECK(beat.service.runtime == ParticipantRuntime::unknown);
  CHECK(beat.service.publish_interval_ms == 20);
  CHECK(beat.service.info == R"({"shelves":3})");
  CHECK(beat.status == HealthStatus::degraded);
  CHECK(beat.summary == "1 check failing");
  REQUIRE(beat.checks.size() == 2);
  CHECK(beat.checks[0].name == "disk");
  CHECK(beat.checks[0].error == "full");
  CHECK(beat.checks[0].info->find("\"contractId\":\"acme.billing@v1\"") != std::string::npos);
  CHECK(beat.checks[1].name == "nats");
  CHECK(beat.checks[1].ok);
}

TEST_CASE("a report is made on request, also when no heartbeats are published") {
  Stream stream;
  const auto checks = std::make_shared<HealthChecks>(std::vector<NamedCheck>{{"disk", fine}});
  Threads threads;
  HealthReporter reporter(stream.transport, checks, 0,
                          {.service = billing(30'000), .heartbeats = false, .post = [&](std::size_t index) {
                             return threads.post(*checks, index);
                           }});
  reporter.start();
  std::promise<std::string> told;
  reporter.request([&](const std::string &report) { told.set_value(report); });
  const auto report = parse_health_report(told.get_future().get()).value();
  CHECK(report.service == "billing");
  CHECK(report.status == HealthStatus::healthy);
  CHECK(report.checks.size() == 2);
  CHECK(stream.payloads.empty());
}

TEST_CASE("a report waits for the checks that a heartbeat gave up") {
  Stream stream;
  std::promise<void> comes_back;
  const auto back = comes_back.get_future().share();
  const auto checks = std::make_shared<HealthChecks>(std::vector<NamedCheck>{{"slow", [back] {
                                                                                back.wait();
                                                                                return HealthCheck{};
                                                                              }}});
  Threads threads;
  HealthReporter reporter(stream.transport, checks, 0, {.service = billing(50), .post = [&](std::size_t index) {
                                                          return threads.post(*checks, index);
                                                        }});
  reporter.start();
  REQUIRE(stream.wait_for(1));
  {
    const std::lock_guard lock(stream.mutex);
    CHECK_FALSE(parse_health_heartbeat(stream.payloads[0])->checks[0].ok);
  }
  std::promise<std::string> told;
  reporter.request([&](const std::string &report) { told.set_value(report); });
  auto report = told.get_future();
  CHECK(report.wait_for(100ms) == std::future_status::timeout); // twice the time that a heartbeat has
  comes_back.set_value();
  CHECK(parse_health_report(report.get())->checks[0].ok);
}

TEST_CASE("the end waits neither for a check that hangs nor for an acknowledgement that never comes") {
  Stream stream;
  stream.acknowledges = false;
  std::promise<void> comes_back;
  const auto checks = std::make_shared<HealthChecks>(std::vector<NamedCheck>{{"hangs", [&] {
                                                                                comes_back.get_future().wait();
                                                                                return HealthCheck{};
                                                                              }}});
  Threads threads;
  {
    HealthReporter reporter(stream.transport, checks, 0, {.service = billing(50), .post = [&](std::size_t index) {
                                                            return threads.post(*checks, index);
                                                          }});
    reporter.start();
    REQUIRE(stream.wait_for(1)); // after the limit of the check, with no acknowledgement in sight
  }
  CHECK(parse_health_heartbeat(stream.payloads[0])->checks[0].ok == false);
  comes_back.set_value();
}
