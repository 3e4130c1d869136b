#include "runtime/health_reporter.h"

#include "contracts/json.h"
#include "runtime/event_publisher.h"
#include "wire/ulid.h"
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <rapidjson/document.h>
#include <thread>
#include <utility>

namespace trellis {
namespace {

using Clock = std::chrono::steady_clock;

// Whether NATS answers, and how fast.
HealthCheck check_nats(Transport &transport, std::chrono::milliseconds limit) {
  const auto began = Clock::now();
  const auto answered = transport.flush(limit);
  HealthCheck check{"nats", true, 0, {}, {}, {}};
  if (!answered) check = failed_check("nats", answered.error().message, "TransportError", {});
  check.latency_ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
  return check;
}

} // namespace

void publish_heartbeat(Transport &transport, const HealthHeartbeat &heartbeat, std::chrono::milliseconds limit,
                       std::function<void(Result<void>)> done) {
  const PreparedEvent event{
      "Health.Heartbeat", kHeartbeatSubject, to_json(heartbeat), {{kMessageIdHeader, heartbeat.event_id}}};
  publish_event(transport, event, limit, [done = std::move(done)](const PublishResult &published) {
    if (published) return done({});
    const auto context = parse_json(published.error().envelope.context);
    const auto why = context ? string_member(*context, "causeMessage") : std::string_view{};
    done(fail("not_published", kHeartbeatSubject, std::string(why)));
  });
}

struct HealthReporter::State : std::enable_shared_from_this<State> {
  State(Transport &given, std::shared_ptr<HealthChecks> all, std::size_t not_shown, Options wanted)
      : transport(given), checks(std::move(all)), hidden(not_shown), options(std::move(wanted)),
        interval(options.service.publish_interval_ms) {}

  Transport &transport;
  const std::shared_ptr<HealthChecks> checks;
  const std::size_t hidden;
  const Options options;
  const std::chrono::milliseconds interval;

  std::mutex mutex; // guards everything below
  std::condition_variable changed;
  std::vector<std::function<void(const std::string &)>> requests;
  bool beating = false;
  bool working = false;
  bool stopping = false;
  std::thread thread; // of start() and stop()

  void run();
  bool wait(Clock::time_point due);
  std::vector<HealthCheck> check(std::chrono::milliseconds limit);
  HealthService service() const;
  void beat(const std::vector<HealthCheck> &results);
};

// Until there is something to do; false when the end has come.
bool HealthReporter::State::wait(Clock::time_point due) {
  std::unique_lock lock(mutex);
  working = false;
  changed.notify_all();
  while (!stopping && requests.empty() && !(beating && Clock::now() >= due)) {
    if (beating)
      changed.wait_until(lock, due);
    else
      changed.wait(lock);
  }
  working = !stopping;
  return working;
}

void HealthReporter::State::run() {
  auto due = Clock::now();
  while (wait(due)) {
    std::unique_lock lock(mutex);
    const auto waiting = std::exchange(requests, {});
    const bool beats = beating && Clock::now() >= due;
    lock.unlock();
    const auto results = check(waiting.empty() ? std::min(kHealthCheckLimit, interval) : kHealthCheckLimit);
    if (!waiting.empty()) {
      const auto report = to_json(make_health_report(service(), iso_time(unix_ms_now()), results));
      for (const auto &done : waiting)
        done(report);
    }
    if (!beats) continue;
    lock.lock();
    working = false; // what follows doesn't touch the participant
    changed.notify_all();
    lock.unlock();
    beat(results);
    while (due <= Clock::now()) // those that fell due meanwhile fall out
      due += interval;
  }
}

std::vector<HealthCheck> HealthReporter::State::check(std::chrono::milliseconds limit) {
  HealthCheck nats;
  auto results =
      checks->run(limit, options.post, [&] { nats = check_nats(transport, std::min(limit, kNatsCheckLimit)); });
  results.resize(results.size() - hidden);
  results.push_back(std::move(nats));
  if (options.on_checks) options.on_checks(results);
  return results;
}

HealthService HealthReporter::State::service() const {
  auto out = options.service;
  if (options.info)
    if (auto info = options.info()) out.info = std::move(info);
  return out;
}

void HealthReporter::State::beat(const std::vector<HealthCheck> &results) {
  const auto outcome = std::make_shared<std::optional<Result<void>>>(); // guarded by mutex
  const auto heartbeat = make_heartbeat(new_ulid(), iso_time(unix_ms_now()), service(), results);
  publish_heartbeat(transport, heartbeat, kHeartbeatAckLimit,
                    [self = shared_from_this(), outcome](Result<void> published) {
                      const std::lock_guard lock(self->mutex);
                      outcome->emplace(std::move(published));
                      self->changed.notify_all();
                    });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return stopping || outcome->has_value(); });
  if (!outcome->has_value() || !options.on_published) return;
  const auto published = **outcome;
  lock.unlock();
  options.on_published(published);
}

HealthReporter::HealthReporter(Transport &transport, std::shared_ptr<HealthChecks> checks, std::size_t hidden,
                               Options options)
    : state_(std::make_shared<State>(transport, std::move(checks), hidden, std::move(options))) {}

HealthReporter::~HealthReporter() {
  stop();
}

void HealthReporter::start() {
  state_->beating = state_->options.heartbeats;
  state_->thread = std::thread([state = state_.get()] { state->run(); }); // stop() joins it
}

void HealthReporter::request(std::function<void(const std::string &)> done) {
  const std::lock_guard lock(state_->mutex);
  state_->requests.push_back(std::move(done));
  state_->changed.notify_all();
}

void HealthReporter::end_heartbeats() {
  const std::lock_guard lock(state_->mutex);
  state_->beating = false;
  state_->changed.notify_all();
}

bool HealthReporter::wait_idle(Clock::time_point until) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, until, [&] { return !state_->working && state_->requests.empty(); });
}

void HealthReporter::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->checks->cancel();
  if (state_->thread.joinable()) state_->thread.join();
}

} // namespace trellis
