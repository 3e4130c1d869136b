#include "hosting/workers.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace trellis::host {

struct Workers::State {
  struct Worker {
    std::thread thread;
    const std::string_view *busy = nullptr; // the name of what it works on
    bool lost = false;                      // a task has ended the thread
  };

  State(std::size_t threads, std::size_t waiting) : max_threads(threads), max_waiting(waiting) {}

  const std::size_t max_threads, max_waiting;
  mutable std::mutex mutex; // guards everything below
  std::condition_variable work, progress;
  std::deque<WorkerTask> queue;
  std::deque<Worker> workers; // a deque: they stay where they are
  std::size_t idle = 0;       // threads that wait
  std::size_t running = 0;
  std::size_t lost = 0; // threads that a task has ended; others take their places
  bool stopping = false;
  std::vector<std::shared_ptr<const void>> kept;

  static void start_worker(const std::shared_ptr<State> &state);
  static void run_worker(const std::shared_ptr<State> &state, Worker &self);
  static void run_task(const std::shared_ptr<State> &state, Worker &self, const WorkerTask &task,
                       std::unique_lock<std::mutex> &lock);
  void join_lost(std::unique_lock<std::mutex> &lock);
};

// With the lock. The thread keeps the state alive: a stuck task may outlive the Workers.
void Workers::State::start_worker(const std::shared_ptr<State> &state) {
  Worker &worker = state->workers.emplace_back();
  try {
    worker.thread = std::thread([state, &worker] { run_worker(state, worker); });
  } catch (const std::system_error &) { // the system has no thread to give; the next task asks again
    state->workers.pop_back();
  }
}

void Workers::State::run_worker(const std::shared_ptr<State> &state, Worker &self) {
  std::unique_lock lock(state->mutex);
  state->join_lost(lock);
  for (;;) {
    ++state->idle;
    state->work.wait(lock, [&] { return state->stopping || !state->queue.empty(); });
    --state->idle;
    if (state->queue.empty()) return;
    const WorkerTask task = state->queue.front();
    state->queue.pop_front();
    run_task(state, self, task, lock);
  }
}

// With the lock, which is free meanwhile. Whoever takes the place of a thread that ended gives its stack back.
void Workers::State::join_lost(std::unique_lock<std::mutex> &lock) {
  std::vector<std::thread> ended;
  for (auto &worker : workers)
    if (worker.lost && worker.thread.joinable()) ended.push_back(std::move(worker.thread));
  lock.unlock();
  for (auto &thread : ended)
    thread.join();
  lock.lock();
}

// With the lock, which is free while the task runs. A task that ends its thread (pthread_exit in a plugin) unwinds
// through here; tasks that wait behind it get another thread at once.
void Workers::State::run_task(const std::shared_ptr<State> &state, Worker &self, const WorkerTask &task,
                              std::unique_lock<std::mutex> &lock) {
  struct Finish {
    const std::shared_ptr<State> &state;
    Worker &self;
    std::unique_lock<std::mutex> &lock;
    bool returned = false;
    ~Finish() {
      lock.lock();
      self.busy = nullptr;
      --state->running;
      if (!returned) {
        ++state->lost;
        self.lost = true;
        if (!state->queue.empty()) start_worker(state);
      }
      if (state->stopping) state->progress.notify_all();
    }
  };
  ++state->running;
  self.busy = &task.name;
  lock.unlock();
  Finish finish{state, self, lock};
  task.run(task.owner, task.argument);
  finish.returned = true;
}

Workers::Workers(std::size_t max_threads, std::size_t max_waiting)
    : state_(std::make_shared<State>(max_threads, max_waiting)) {}

Workers::~Workers() {
  stop(Clock::now());
}

bool Workers::post(const WorkerTask &task, Limit limit) {
  auto &state = *state_;
  {
    const std::lock_guard lock(state.mutex);
    const bool full = limit == Limit::queue && state.queue.size() >= state.max_waiting;
    if (state.stopping || full) return false;
    state.queue.push_back(task);
    // Compared with all that wait: an idle thread that was just notified has not taken its task yet.
    if (state.queue.size() > state.idle && state.workers.size() - state.lost < state.max_threads)
      State::start_worker(state_);
  }
  state.work.notify_one();
  return true;
}

void Workers::keep(std::shared_ptr<const void> what) {
  const std::lock_guard lock(state_->mutex);
  state_->kept.push_back(std::move(what));
}

bool Workers::finish(Clock::time_point until) {
  auto &state = *state_;
  std::unique_lock lock(state.mutex);
  state.stopping = true;
  state.work.notify_all();
  return state.progress.wait_until(lock, until, [&] { return state.running == 0 && state.queue.empty(); });
}

std::vector<std::string> Workers::stop(Clock::time_point until) {
  finish(until);
  auto &state = *state_;
  std::vector<std::thread> ending;
  std::vector<std::string> stuck;
  {
    const std::lock_guard lock(state.mutex);
    state.queue.clear();
    for (auto &worker : state.workers) {
      if (!worker.thread.joinable()) continue; // left behind by an earlier stop
      if (worker.busy) {
        stuck.emplace_back(*worker.busy);
        worker.thread.detach();
      } else {
        ending.push_back(std::move(worker.thread));
      }
    }
  }
  for (auto &thread : ending)
    thread.join(); // with it the plugin's thread-locals are gone
  return stuck;
}

Workers::Counts Workers::counts() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->queue.size(), state_->running};
}

} // namespace trellis::host
