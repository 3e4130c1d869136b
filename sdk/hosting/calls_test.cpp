#include "hosting/calls.h"

#include "hosting/workers.h"
#include "runtime/rpc_fixture.h"
#include "tests/support/assertion_thread.h"
#include "tests/support/wait_until.h"
#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <thread>

using namespace trellis;
using namespace trellis::host;
using namespace trellis::test;

namespace {

using namespace std::chrono_literals;
using Clock = Calls::Clock;

constexpr auto kLong = 20s;        // for what happens anyway
constexpr auto kReachable = 500ms; // a deadline that passes soon, but not before a request reached its handler

Clock::time_point soon() {
  return Clock::now() + kLong;
}

// Opens once, for all who wait.
class Gate {
public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [&] { return open_; });
  }
  ~Gate() { open(); }

private:
  std::mutex mutex_; // guards open_
  std::condition_variable opened_;
  bool open_ = false;
};

std::string_view view(trellis_str text) {
  return {text.data, text.size};
}

// A plugin whose handler is a function, and the Calls that bring it requests.
struct Plugin {
  explicit Plugin(CallLimits limits) {
    auto route_made = std::make_shared<RpcRoute>();
    route_made->method = rpc.method;
    route_made->handler = [](void *self, const trellis_request *request) {
      static_cast<Plugin *>(self)->handle(*request);
    };
    route = route_made;
    auto validator = std::shared_ptr<Validator>(&rpc.validator, [](Validator *) {});
    workers = std::make_unique<Workers>(limits.max_concurrency, limits.queue);
    calls = std::make_unique<Calls>(limits, rpc.service, std::move(validator), this, *workers,
                                    [this](const CallEvent &event) { note(event); });
  }

  void handle(const trellis_request &request) {
    {
      const std::lock_guard lock(mutex);
      handles.push_back(request.call);
      changed.notify_all();
    }
    on_request(request);
  }
  void note(const CallEvent &event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
    changed.notify_all();
  }

  // Sends one more request; its replies go to `replies`.
  void send() { send(rpc.message(R"({"cents":1})", "r" + std::to_string(++sent))); }
  void send(FakeMessage message) {
    message.replies = replies;
    calls->arrive(route, to_message(std::move(message)));
  }

  trellis_status complete(trellis_call call) const { return calls->complete(call, R"({"id":"x"})"); }
  // The handle of the n-th request that reached the handler, waiting for it.
  trellis_call handle_of(std::size_t n) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, kLong, [&] { return handles.size() > n; }));
    return handles[n];
  }
  std::size_t count(CallEvent::Kind kind) {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [&](const auto &event) { return event.kind == kind; }));
  }
  void wait_for(CallEvent::Kind kind) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, kLong, [&] {
      return std::any_of(events.begin(), events.end(), [&](const auto &event) { return event.kind == kind; });
    }));
  }
  // The n-th reply's error code, "" for a success.
  std::string code_of(std::size_t n) const {
    REQUIRE(replies->wait_for(n + 1));
    const auto reply = replies->all()[n];
    return reply.is_error() ? parse_envelope(reply.payload).value().code() : "";
  }
  ErrorEnvelope error_of(std::size_t n) const {
    REQUIRE(replies->wait_for(n + 1));
    return parse_envelope(replies->all()[n].payload).value();
  }

  RpcFixture rpc;
  std::function<void(const trellis_request &)> on_request = [](const trellis_request &) {};
  std::shared_ptr<Replies> replies = std::make_shared<Replies>();
  int sent = 0;
  std::mutex mutex; // guards handles and events
  std::condition_variable changed;
  std::vector<trellis_call> handles;
  std::vector<CallEvent> events;
  std::shared_ptr<const RpcRoute> route;
  std::unique_ptr<Workers> workers;
  std::unique_ptr<Calls> calls;
};

// A plugin that answers every request at once.
struct EchoPlugin : Plugin {
  explicit EchoPlugin(CallLimits limits) : Plugin(limits) {
    on_request = [this](const trellis_request &request) { refused += complete(request.call) == TRELLIS_OK ? 0 : 1; };
  }
  ~EchoPlugin() { CHECK(refused == 0); }
  std::atomic<int> refused = 0; // answers
};

} // namespace

TEST_CASE("a request reaches the handler with all that the ABI promises") {
  Gate checked;
  Plugin plugin({});
  const auto check = [&](const trellis_request &request) {
    const AssertionsHere here;
    CHECK(request.size == sizeof(trellis_request));
    CHECK(view(request.surface) == "Billing.Charge");
    CHECK(view(request.input) == R"({"cents":1})");
    CHECK(view(request.caller).find("u1") != std::string_view::npos);
    CHECK(view(request.session_key) == plugin.rpc.caller.text());
    CHECK(view(request.request_id) == "r1");
    CHECK(view(request.traceparent) == kTraceparent);
    CHECK(view(request.tracestate).empty());
    const auto left = request.deadline_unix_ms - std::chrono::duration_cast<std::chrono::milliseconds>(
                                                     std::chrono::system_clock::now().time_since_epoch())
                                                     .count();
    CHECK(left > 0);
    CHECK(left <= 10000);
    CHECK(plugin.calls->state(request.call) == TRELLIS_OK);
    CHECK(plugin.complete(request.call) == TRELLIS_OK);
  };
  plugin.on_request = [&](const trellis_request &request) {
    check(request);
    checked.open();
  };
  auto message = plugin.rpc.message();
  set_header(message, "traceparent", kTraceparent);
  plugin.send(message);
  checked.wait();
  CHECK(plugin.code_of(0).empty());
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a request that isn't admitted never reaches the handler") {
  Plugin plugin({});
  plugin.send(plugin.rpc.message("{}"));
  CHECK(plugin.error_of(0).type == "ValidationError");
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.calls->stop(soon()));
  CHECK(plugin.handles.empty());
}

TEST_CASE("a full queue answers overloaded at once") {
  Gate gate;
  Plugin plugin({.queue = 2, .max_concurrency = 1});
  plugin.on_request = [&](const trellis_request &request) {
    gate.wait();
    plugin.complete(request.call);
  };
  plugin.send();
  plugin.handle_of(0); // the only worker is busy
  plugin.send();
  plugin.send();
  CHECK(plugin.replies->count() == 0);
  auto message = plugin.rpc.message(R"({"cents":1})", "refused");
  set_header(message, "traceparent", kTraceparent);
  plugin.send(message);
  REQUIRE(plugin.replies->count() == 1); // answered inside arrive()
  CHECK(plugin.code_of(0) == kOverloadedCode);
  CHECK(plugin.error_of(0).trace_id == kTraceId);
  CHECK(plugin.count(CallEvent::Kind::overloaded) == 1);
  gate.open();
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.replies->count() == 4);
  CHECK(plugin.calls->counts().overloaded == 1);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("each request that waits gets its worker while there may be more") {
  Gate gate;
  Plugin plugin({.max_concurrency = 4});
  plugin.on_request = [&](const trellis_request &request) {
    gate.wait();
    plugin.complete(request.call);
  };
  for (int i = 0; i < 4; ++i)
    plugin.send(); // at once, before any worker has woken
  plugin.handle_of(3);
  CHECK(plugin.calls->counts().running == 4);
  plugin.send();
  CHECK(plugin.calls->counts().waiting == 1);
  gate.open();
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("an idle worker's second request doesn't wait for its first") {
  Gate gate;
  Plugin plugin({.max_concurrency = 2});
  std::atomic<bool> block{false};
  plugin.on_request = [&](const trellis_request &request) {
    if (block) gate.wait();
    plugin.complete(request.call);
  };
  for (int round = 0; round < 20; ++round) {
    plugin.send();
    REQUIRE(plugin.calls->wait_idle(soon()));
  }
  block = true;
  plugin.send();
  plugin.send();
  plugin.handle_of(21); // both are in their handlers
  gate.open();
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("at the deadline the caller is answered, and a late answer is gone") {
  Plugin plugin({.deadline = kReachable});
  auto message = plugin.rpc.message();
  set_header(message, "traceparent", kTraceparent);
  plugin.send(message);
  const auto call = plugin.handle_of(0);
  CHECK(plugin.code_of(0) == kDeadlineCode);
  CHECK(plugin.error_of(0).trace_id == kTraceId);
  plugin.wait_for(CallEvent::Kind::deadline);
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.calls->counts().abandoned == 1);
  CHECK(plugin.calls->counts().expired == 1);
  CHECK(plugin.calls->state(call) == TRELLIS_E_GONE);
  CHECK(plugin.complete(call) == TRELLIS_E_GONE);
  CHECK(plugin.calls->counts().abandoned == 0);
  CHECK(plugin.complete(call) == TRELLIS_E_GONE);
  CHECK(plugin.replies->count() == 1);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a request's memory stays until the plugin lets go of it") {
  Plugin plugin({.deadline = kReachable});
  const trellis_request *kept = nullptr;
  plugin.on_request = [&](const trellis_request &request) { kept = &request; };
  plugin.send();
  const auto call = plugin.handle_of(0);
  CHECK(plugin.code_of(0) == kDeadlineCode);
  CHECK(view(kept->input) == R"({"cents":1})"); // past its deadline: ASan watches
  CHECK(plugin.calls->release(call) == TRELLIS_E_GONE);
  CHECK(plugin.count(CallEvent::Kind::released) == 0);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a request whose deadline passes in the queue never reaches the handler") {
  Gate gate;
  Plugin plugin({.max_concurrency = 1, .deadline = kReachable});
  plugin.on_request = [&](const trellis_request &) { gate.wait(); };
  plugin.send();
  plugin.handle_of(0);
  plugin.send();
  CHECK(plugin.code_of(0) == kDeadlineCode);
  CHECK(plugin.code_of(1) == kDeadlineCode);
  gate.open();
  CHECK(plugin.calls->stop(soon()));
  CHECK(plugin.handles.size() == 1);
}

TEST_CASE("a plugin that holds too many calls past their deadline gets no new ones") {
  Plugin plugin({.deadline = kReachable, .max_abandoned = 2});
  plugin.send();
  plugin.send();
  CHECK(plugin.code_of(1) == kDeadlineCode);
  CHECK(plugin.calls->wait_idle(soon()));
  plugin.send();
  CHECK(plugin.code_of(2) == kOverloadedCode);
  CHECK(plugin.complete(plugin.handle_of(0)) == TRELLIS_E_GONE); // lets go of one
  plugin.send();
  CHECK(plugin.code_of(3) == kDeadlineCode);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a call is answered once") {
  Plugin plugin({});
  plugin.send();
  const auto call = plugin.handle_of(0);
  CHECK(plugin.complete(call) == TRELLIS_OK);
  CHECK(plugin.complete(call) == TRELLIS_E_GONE);
  CHECK(plugin.calls->fail(call, {}) == TRELLIS_E_GONE);
  CHECK(plugin.calls->release(call) == TRELLIS_E_GONE);
  CHECK(plugin.calls->state(call) == TRELLIS_E_GONE);
  CHECK(plugin.replies->count() == 1);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a handle that was used never becomes valid again") {
  EchoPlugin plugin({.max_concurrency = 1});
  for (int i = 0; i < 100; ++i) {
    plugin.send();
    REQUIRE(plugin.calls->wait_idle(soon()));
  }
  auto handles = plugin.handles;
  std::sort(handles.begin(), handles.end());
  CHECK(std::adjacent_find(handles.begin(), handles.end()) == handles.end());
  for (const auto call : handles)
    CHECK(plugin.complete(call) == TRELLIS_E_GONE);
  for (const trellis_call invented : {trellis_call{0}, trellis_call{1}, ~trellis_call{0}})
    CHECK(plugin.complete(invented) == TRELLIS_E_GONE);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a call that is released gets an UnexpectedError at once") {
  Plugin plugin({});
  plugin.send();
  CHECK(plugin.calls->release(plugin.handle_of(0)) == TRELLIS_OK);
  CHECK(plugin.error_of(0).type == "UnexpectedError");
  CHECK(plugin.count(CallEvent::Kind::released) == 1);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a failure reaches the caller with annotations") {
  Plugin plugin({});
  plugin.send();
  const HandlerError error{"QuotaExceededError", "m", {}, R"({"limit":1})"};
  CHECK(plugin.calls->fail(plugin.handle_of(0), error) == TRELLIS_OK);
  CHECK(plugin.error_of(0).type == "QuotaExceededError");
  CHECK(plugin.error_of(0).context.find("\"service\":\"billing\"") != std::string::npos);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("an answer that breaks the rules is reported and invalid, and the call over") {
  Plugin plugin({});
  plugin.send();
  CHECK(plugin.calls->complete(plugin.handle_of(0), R"({"id":7})") == TRELLIS_E_INVALID);
  CHECK(plugin.error_of(0).type == "ValidationError");
  CHECK(plugin.count(CallEvent::Kind::bad_output) == 1);
  plugin.send();
  CHECK(plugin.calls->fail(plugin.handle_of(1), {"X", "m", "[]", {}}) == TRELLIS_E_INVALID);
  CHECK(plugin.error_of(1).type == "UnexpectedError");
  CHECK(plugin.count(CallEvent::Kind::bad_error) == 1);
  CHECK(plugin.complete(plugin.handle_of(1)) == TRELLIS_E_GONE);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a reply that can't be sent is reported") {
  EchoPlugin plugin({});
  auto message = plugin.rpc.message();
  message.closed = true;
  plugin.send(message);
  plugin.wait_for(CallEvent::Kind::send_failed);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("an answer may come from any thread, also while the handler is still running") {
  Gate answered;
  Plugin plugin({});
  trellis_status taken = TRELLIS_E_GONE;
  std::thread other;
  plugin.on_request = [&](const trellis_request &request) {
    other = std::thread([&, call = request.call] {
      taken = plugin.complete(call);
      answered.open();
    });
    answered.wait();
  };
  plugin.send();
  CHECK(plugin.code_of(0).empty());
  CHECK(plugin.calls->stop(soon()));
  other.join();
  CHECK(taken == TRELLIS_OK);
}

TEST_CASE("of several answers on several threads exactly one is taken") {
  Plugin plugin({});
  for (std::size_t round = 0; round < 50; ++round) {
    plugin.send();
    const auto call = plugin.handle_of(round);
    std::atomic<int> taken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&] { taken += plugin.complete(call) == TRELLIS_OK ? 1 : 0; });
    for (auto &thread : threads)
      thread.join();
    REQUIRE(taken == 1);
  }
  CHECK(plugin.replies->count() == 50);
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a deadline and an answer at the same moment make one reply") {
  Plugin plugin({.max_concurrency = 4, .deadline = 1ms});
  plugin.on_request = [&](const trellis_request &request) {
    std::this_thread::yield();
    plugin.complete(request.call);
  };
  for (int i = 0; i < 200; ++i)
    plugin.send();
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.calls->stop(soon()));
  CHECK(plugin.replies->count() == 200);
  CHECK(plugin.calls->counts().abandoned == 0);
}

TEST_CASE("waiting for idleness ends when every reply is on its way") {
  Plugin plugin({});
  CHECK(plugin.calls->wait_idle(Clock::now()));
  plugin.send();
  const auto call = plugin.handle_of(0);
  CHECK_FALSE(plugin.calls->wait_idle(Clock::now() + 10ms));
  std::thread answering([&] { plugin.complete(call); });
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(plugin.replies->count() == 1);
  answering.join();
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("stopping answers what is left; answers after it are gone") {
  Gate gate;
  Plugin plugin({.max_concurrency = 1});
  plugin.on_request = [&](const trellis_request &) { gate.wait(); };
  plugin.send();
  const auto call = plugin.handle_of(0);
  plugin.send(); // waits for the worker
  bool stopped = false;
  std::thread stopping([&] { stopped = plugin.calls->stop(soon()); });
  CHECK(plugin.code_of(0) == kStoppingCode);
  CHECK(plugin.code_of(1) == kStoppingCode);
  gate.open();
  stopping.join();
  CHECK(stopped);
  CHECK(plugin.complete(call) == TRELLIS_E_GONE);
  CHECK(plugin.handles.size() == 1);
  plugin.send(); // after the stop
  CHECK(plugin.code_of(2) == kStoppingCode);
  CHECK(plugin.replies->count() == 3);
  CHECK(plugin.calls->stop(soon())); // a second time does nothing
}

TEST_CASE("a handler that never returns is named and left behind") {
  Gate gate;
  Plugin plugin({.max_concurrency = 2});
  plugin.on_request = [&](const trellis_request &) { gate.wait(); };
  plugin.send();
  const auto call = plugin.handle_of(0);
  CHECK_FALSE(plugin.calls->stop(Clock::now() + 20ms));
  CHECK(plugin.workers->stop(Clock::now()) == std::vector<std::string>{"Billing.Charge"});
  CHECK(plugin.code_of(0) == kStoppingCode);
  CHECK(plugin.complete(call) == TRELLIS_E_GONE);
  gate.open(); // it returns after all: the next stop finds nobody
  CHECK(plugin.calls->stop(soon()));
}

TEST_CASE("a stuck handler may return after its Calls are gone") {
  auto gate = std::make_shared<Gate>();
  auto returned = std::make_shared<Gate>();
  auto plugin = std::make_unique<Plugin>(CallLimits{});
  plugin->on_request = [gate, returned](const trellis_request &) {
    gate->wait();
    returned->open();
  };
  plugin->send();
  plugin->handle_of(0);
  CHECK_FALSE(plugin->calls->stop(Clock::now()));
  plugin->calls.reset();
  plugin->workers.reset();
  gate->open();
  returned->wait();
  static Plugin *const left_behind = plugin.release(); // as a host leaves it
  CHECK(left_behind);
}

TEST_CASE("Calls that were never stopped end all the same") {
  Plugin plugin({});
  plugin.send();
  plugin.handle_of(0);
  REQUIRE(wait_until([&] { return plugin.calls->counts().running == 0; })); // the handler has returned, unanswered
  plugin.calls.reset();
  CHECK(plugin.code_of(0) == kStoppingCode);
}

TEST_CASE("a handler that ends its thread no longer runs, and nobody waits for it") {
  Plugin plugin({.max_concurrency = 1, .deadline = kReachable});
  plugin.on_request = [](const trellis_request &) { ::pthread_exit(nullptr); };
  plugin.send();
  CHECK(plugin.code_of(0) == kDeadlineCode);
  CHECK(plugin.calls->wait_idle(soon()));
  CHECK(wait_until([&] { return plugin.calls->counts().running == 0; }));
  const auto began = Clock::now();
  CHECK(plugin.calls->stop(soon()));
  CHECK(Clock::now() - began < kLong / 2);
  CHECK(plugin.workers->stop(soon()).empty());
}

TEST_CASE("many requests on several workers are each answered once") {
  EchoPlugin plugin({.queue = 10000, .max_concurrency = 4});
  std::vector<FakeMessage> messages;
  for (int i = 0; i < 1000; ++i)
    messages.push_back(plugin.rpc.message(R"({"cents":1})", "m" + std::to_string(i)));
  const auto started = Clock::now();
  for (auto &message : messages)
    plugin.send(std::move(message));
  CHECK(plugin.calls->wait_idle(soon()));
  const auto elapsed = std::chrono::duration<double>(Clock::now() - started).count();
  WARN("requests a second: " << static_cast<int>(1000 / elapsed));
  CHECK(plugin.replies->count() == 1000);
  CHECK(plugin.calls->stop(soon()));
  const auto counts = plugin.calls->counts();
  CHECK(counts.answered == 1000);
  CHECK(counts.waiting + counts.running + counts.unanswered + counts.abandoned == 0);
}
