// A service that takes its time, one way for each input: {"mode": "...", "ms": n}. For tests under load.
//
//   now     answers at once          sleep   keeps its worker for `ms`, then answers
//   later   gives its worker back and answers from a thread of its own after `ms`
//   fail    throws                   abort   takes its process with it
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <trellis/service.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.waiter@v1", "displayName": "Waiter", "kind": "service",
  "description": "Answers at once, slowly, or later.",
  "schemas": {
    "In": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}, "ms": {"type": "integer"}}},
    "Out": {"type": "object", "required": ["mode"], "properties": {"mode": {"type": "string"}}}
  },
  "rpc": {
    "Waiter.Do": {"version": "v1", "subject": "rpc.v1.Waiter.Do", "input": {"schema": "In"}, "output": {"schema": "Out"}},
    "Waiter.Later": {"version": "v1", "subject": "rpc.v1.Waiter.Later", "input": {"schema": "In"}, "output": {"schema": "Out"}}
  }
});

namespace {

struct In {
  std::string mode;
  std::optional<int> ms;
  static constexpr auto fields = std::tuple(trellis::field("mode", &In::mode), trellis::field("ms", &In::ms));
  std::chrono::milliseconds time() const { return std::chrono::milliseconds(ms.value_or(0)); }
};

struct Out {
  std::string mode;
  static constexpr auto fields = std::tuple(trellis::field("mode", &Out::mode));
};

// What is to be answered later, and the thread that does it.
class Alarm {
public:
  using Clock = std::chrono::steady_clock;

  void begin() {
    thread_ = std::jthread([this](const std::stop_token &stop) { run(stop); });
  }
  void end() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  void add(Clock::time_point when, trellis::Pending call) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(when, std::move(call));
    changed_.notify_all();
  }

private:
  void run(const std::stop_token &stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
      const auto next = waiting_.begin()->first;
      if (Clock::now() < next) {
        changed_.wait_until(lock, stop, next, [&] { return waiting_.begin()->first < next; });
        continue;
      }
      auto call = std::move(waiting_.extract(waiting_.begin()).mapped());
      lock.unlock();
      call.complete(Out{"later"});
      lock.lock();
    }
  }

  std::mutex mutex_; // guards waiting_
  std::condition_variable_any changed_;
  std::multimap<Clock::time_point, trellis::Pending> waiting_;
  std::jthread thread_;
};

void setup(trellis::Service &service) {
  const auto alarm = std::make_shared<Alarm>();
  service.on_start([alarm] { alarm->begin(); });
  service.on_stop([alarm](std::int64_t) { alarm->end(); });
  service.rpc("Waiter.Do", [](const In &in, trellis::Call &) {
    if (in.mode == "fail") throw std::runtime_error("told to fail");
    if (in.mode == "abort") std::abort();
    if (in.mode == "sleep") std::this_thread::sleep_for(in.time());
    return Out{in.mode};
  });
  service.rpc("Waiter.Later", [alarm](const In &in, trellis::Pending call) {
    alarm->add(Alarm::Clock::now() + in.time(), std::move(call));
  });
}

} // namespace

TRELLIS_SERVICE("test.waiter@v1", "waiter", "1.0.0", setup);
