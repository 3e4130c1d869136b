// The threads of one plugin, and the bounded queue before them: requests, events and feeds of a plugin all run here.
//
// Every plugin has its own, so that one plugin's flood, slow handler or stuck handler delays no other plugin. Threads
// are started when needed, at most `max_threads`, and stay. A task is a plain function with two words of argument,
// because there is one for each request. A task that never comes back is left behind with its thread, and said.
// Rejected: one shared pool for all plugins, which a few stuck handlers would empty.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

// `run(owner, argument)`; `owner` outlives the workers (see keep). `name`: the surface, for who is left behind; it
// lives as long as the task.
struct WorkerTask {
  void (*run)(void *owner, std::uint64_t argument) = nullptr;
  void *owner = nullptr;
  std::uint64_t argument = 0;
  std::string_view name;
};

class Workers {
public:
  using Clock = std::chrono::steady_clock;

  Workers(std::size_t max_threads, std::size_t max_waiting);
  // Call stop() first; this does it without waiting.
  ~Workers();
  Workers(const Workers &) = delete;
  Workers &operator=(const Workers &) = delete;

  // [thread-safe] Never waits. False when max_waiting tasks wait already, or after stop(); the task won't run.
  // Limit::none: for tasks that something else keeps few, and that must not get lost.
  enum class Limit { queue, none };
  bool post(const WorkerTask &task, Limit limit = Limit::queue);
  // `what` lives as long as the last thread does: for owners of tasks that may never come back.
  void keep(std::shared_ptr<const void> what);
  // [may block] Nothing is taken any more; what waits still runs until `until`. False when something ran still.
  bool finish(Clock::time_point until);
  // [may block] The same, and ends the threads. The names of those that were still running then: their threads are
  // left behind, and what they use must stay for the life of the process.
  std::vector<std::string> stop(Clock::time_point until);

  struct Counts {
    std::size_t waiting = 0, running = 0;
  };
  Counts counts() const; // [thread-safe]

private:
  struct State; // shared with the threads, which may outlive this object
  std::shared_ptr<State> state_;
};

} // namespace trellis::host
