// The one writer: a thread that runs everybody's changes and commits them together (group commit).
//
// While one commit waits for the disk the next changes gather, so that the number of fsyncs follows the disk and not
// the number of callers. Each change runs in a savepoint of the shared transaction: one that fails takes back itself
// only. When the transaction itself is lost (disk full, I/O error) everyone who was in it gets that error, because
// nothing of it is stored. Rejected: trying the lost changes again one by one, which would run a caller's function
// twice.
#pragma once

#include "store/connection.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace trellis::auth {

using Change = std::function<Result<void>(Writer &)>;
using ErrorReport = std::function<void(const Error &)>;

// [thread-safe] except for the destructor, which stores what is queued.
class WriteQueue {
public:
  explicit WriteQueue(std::unique_ptr<Connection> connection);
  ~WriteQueue();
  WriteQueue(const WriteQueue &) = delete;
  WriteQueue &operator=(const WriteQueue &) = delete;

  // [may block] `decides`: whether version() counts it.
  Result<void> run(Change change, bool decides = true);
  void run_behind(Change change);
  void on_background_error(ErrorReport report);
  std::uint64_t version() const { return version_; }
  std::uint64_t commits() const { return commits_; }

private:
  struct Waiter {
    std::optional<Result<void>> outcome;
    std::condition_variable done;
  };
  struct Entry {
    Change change;
    Waiter *waiter = nullptr; // nullptr: nobody waits
    bool decides = false;
    Result<void> outcome = {};
    bool changed = false; // rows
  };
  using Batch = std::vector<Entry>;

  void loop();
  Batch next_batch();
  void process(Batch &batch);
  std::size_t run_transaction(Batch &batch, std::size_t from);
  void run_entry(Entry &entry);
  void commit(Batch &batch, std::size_t from, std::size_t to);
  void roll_back();
  void complete(Batch &batch);

  ConnectedWriter writer_; // of the thread alone, as is the next
  Connection &connection_;
  std::atomic<std::uint64_t> version_{0}, commits_{0};

  std::mutex mutex_; // guards what follows, and the outcomes of waiters
  std::condition_variable wake_;
  std::deque<Entry> queue_;
  std::size_t waiting_ = 0; // entries of queue_ with a waiter
  std::chrono::steady_clock::time_point behind_due_{};
  ErrorReport report_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace trellis::auth
