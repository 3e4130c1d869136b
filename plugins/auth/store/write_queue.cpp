#include "store/write_queue.h"

#include "store/crash_point.h"
#include <sqlite3.h>

namespace trellis::auth {
namespace {

constexpr std::size_t kBatch = 4096;                   // changes of one commit: bounds how long the first one waits
constexpr std::size_t kBehindBacklog = 1024;           // queued without a waiter, then they don't wait for their time
constexpr std::chrono::milliseconds kBehindDelay{500}; // half of the second that write_behind promises

Error unexpected_failure(const std::string &what) {
  return storage_error("a change", "threw: " + what).error();
}

Error transaction_lost(const Result<void> &cause) {
  if (!cause) return cause.error();
  return storage_error("a change", "ended the transaction").error();
}

} // namespace

WriteQueue::WriteQueue(std::unique_ptr<Connection> connection)
    : writer_(std::move(connection)), connection_(writer_.connection()), thread_([this] { loop(); }) {}

WriteQueue::~WriteQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<void> WriteQueue::run(Change change, bool decides) {
  if (std::this_thread::get_id() == thread_.get_id())
    return fail("storage", "a change", "writes through the database that runs it", "its Writer");
  Waiter waiter;
  std::unique_lock lock(mutex_);
  queue_.push_back({.change = std::move(change), .waiter = &waiter, .decides = decides});
  ++waiting_;
  wake_.notify_one();
  waiter.done.wait(lock, [&] { return waiter.outcome.has_value(); });
  return std::move(*waiter.outcome);
}

void WriteQueue::run_behind(Change change) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() == waiting_) behind_due_ = std::chrono::steady_clock::now() + kBehindDelay;
  queue_.push_back({.change = std::move(change)});
  wake_.notify_one();
}

void WriteQueue::on_background_error(ErrorReport report) {
  const std::lock_guard lock(mutex_);
  report_ = std::move(report);
}

void WriteQueue::loop() {
  for (;;) {
    Batch batch = next_batch();
    if (batch.empty()) return;
    process(batch);
    complete(batch);
  }
}

// Waits until something is due. Empty: the end, and nothing is queued any more.
WriteQueue::Batch WriteQueue::next_batch() {
  std::unique_lock lock(mutex_);
  const auto due = [&] { return stopping_ || waiting_ > 0 || queue_.size() > kBehindBacklog; };
  while (!due()) {
    if (queue_.empty())
      wake_.wait(lock);
    else if (wake_.wait_until(lock, behind_due_) == std::cv_status::timeout)
      break;
  }
  Batch batch;
  while (!queue_.empty() && batch.size() < kBatch) {
    if (queue_.front().waiter) --waiting_;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void WriteQueue::process(Batch &batch) {
  for (std::size_t done = 0; done < batch.size();)
    done = run_transaction(batch, done);
}

// One transaction from entry `from` on; returns the first entry that it didn't reach.
std::size_t WriteQueue::run_transaction(Batch &batch, std::size_t from) {
  std::size_t at = from;
  try {
    connection_.execute("BEGIN IMMEDIATE");
    while (at < batch.size()) {
      Entry &entry = batch[at++];
      run_entry(entry);
      // SQLite ends the whole transaction by itself on some failures: full disk, I/O, memory.
      if (!connection_.in_transaction()) throw SqlError(transaction_lost(entry.outcome));
    }
    commit(batch, from, at);
  } catch (const SqlError &problem) {
    roll_back();
    if (at == from) at = batch.size(); // it couldn't begin
    for (std::size_t lost = from; lost < at; ++lost)
      if (batch[lost].outcome) batch[lost].outcome = tl::make_unexpected(problem.error());
  }
  return at;
}

// Leaves the entry's outcome. Throws SqlError when the transaction can't go on.
void WriteQueue::run_entry(Entry &entry) {
  connection_.execute("SAVEPOINT change");
  const std::int64_t before = connection_.total_changes();
  try {
    entry.outcome = entry.change(writer_);
  } catch (const SqlError &problem) {
    entry.outcome = tl::make_unexpected(problem.error());
  } catch (const std::exception &problem) {
    entry.outcome = tl::make_unexpected(unexpected_failure(problem.what()));
  } catch (...) {
    entry.outcome = tl::make_unexpected(unexpected_failure("something that is no std::exception"));
  }
  entry.changed = entry.outcome && connection_.total_changes() != before;
  if (!connection_.in_transaction()) return;
  if (!entry.outcome) connection_.execute("ROLLBACK TO change");
  connection_.execute("RELEASE change");
}

void WriteQueue::commit(Batch &batch, std::size_t from, std::size_t to) {
  bool any = false, decision = false;
  for (std::size_t at = from; at < to; ++at) {
    any = any || batch[at].changed;
    decision = decision || (batch[at].changed && batch[at].decides);
  }
  crash_point();
  connection_.execute("COMMIT");
  crash_point();
  if (decision) ++version_; // before any caller hears of it
  if (any) ++commits_;
}

void WriteQueue::roll_back() {
  if (connection_.in_transaction()) sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void WriteQueue::complete(Batch &batch) {
  ErrorReport report;
  {
    const std::lock_guard lock(mutex_);
    for (Entry &entry : batch) {
      if (!entry.waiter) continue;
      entry.change = nullptr; // may refer to what ends with the caller
      entry.waiter->outcome = std::move(entry.outcome);
      entry.waiter->done.notify_one(); // under the mutex: the waiter ends with its caller's stack frame
    }
    report = report_;
  }
  if (!report) return;
  for (const Entry &entry : batch)
    if (!entry.waiter && !entry.outcome) report(entry.outcome.error());
}

} // namespace trellis::auth
