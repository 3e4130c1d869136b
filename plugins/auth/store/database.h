// The control plane's durable memory: one SQLite file in WAL mode (ARCHITECTURE §7).
//
// Every change goes through write(): one writer thread runs the functions of all callers in turn, each in a savepoint
// of one transaction, and commits once for all that waited (group commit). A function that fails takes back its own
// changes only. Reads use a small pool of connections, each seeing the last commit. Rejected: a connection a thread
// with SQLite's own locking, where busy timeouts decide who waits, and autocommit, which costs one fsync a row.
#pragma once

#include "contracts/result.h"
#include "store/sql.h"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace trellis::auth {

class Database {
public:
  // Creates the file (0600, WAL, synchronous = FULL) or brings an older schema up to date. Errors name the file:
  // "database_unreadable", "database_newer" (written by a newer version: refused, untouched), "database_corrupt",
  // "database_in_use" (another Database has it open, in whatever process).
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path &file);
  ~Database();
  Database(const Database &) = delete;
  Database &operator=(const Database &) = delete;

  // [thread-safe] [may block] Runs `change` on the writer thread and returns once it is committed and on disk. `change`
  // gets no Transport and must not block. Its Result is returned; an error rolls back. SQL failures (disk full, I/O)
  // become error "storage" and nothing of it is stored.
  template <class T>
  Result<T> write(std::function<Result<T>(Writer &)> change) {
    std::optional<Result<T>> out;
    const Result<void> done = run([&](Writer &writer) -> Result<void> {
      out = change(writer);
      if (!*out) return tl::make_unexpected(out->error());
      return {};
    });
    if (!done) return tl::make_unexpected(done.error());
    return std::move(*out);
  }
  Result<void> write(std::function<Result<void>(Writer &)> change) { return run(std::move(change)); }
  // [thread-safe] [may block] The same for what nobody decides anything by (history): version() stays as it is.
  Result<void> write_aside(std::function<Result<void>(Writer &)> change);

  // [thread-safe] Queues a change that nobody waits for (lastAuth, liveness). Committed within a second, or with the
  // next write, whichever is first; lost at most with a crash. Its failure is passed to `on_background_error`.
  void write_behind(std::function<Result<void>(Writer &)> change);
  void on_background_error(std::function<void(const Error &)> report);

  // [thread-safe] [may block] One consistent view for the length of `look`. A failure of SQLite (SqlError) becomes
  // error "storage".
  template <class Fn>
  auto read(Fn look) const -> Result<decltype(look(std::declval<Reader &>()))> {
    const ReaderLease lease = borrow();
    if (!lease) return tl::make_unexpected(lease.error());
    try {
      return look(*lease);
    } catch (const SqlError &problem) {
      return tl::make_unexpected(problem.error());
    }
  }

  // [thread-safe] Number of commits that changed more than write_behind and write_aside: what was cached at an equal
  // version still holds. Ask before read(), not after: what is seen is then at least of that version.
  std::uint64_t version() const;
  // [thread-safe] Number of commits that stored anything.
  std::uint64_t commits() const;

private:
  class ReaderLease {
  public:
    ReaderLease(const Database &owner, Result<std::unique_ptr<Reader>> reader);
    ~ReaderLease();
    ReaderLease(const ReaderLease &) = delete;
    ReaderLease &operator=(const ReaderLease &) = delete;
    explicit operator bool() const { return reader_.has_value(); }
    Reader &operator*() const { return **reader_; }
    const Error &error() const { return reader_.error(); }

  private:
    const Database &owner_;
    Result<std::unique_ptr<Reader>> reader_;
  };
  struct State;
  explicit Database(std::unique_ptr<State> state);
  ReaderLease borrow() const;
  Result<void> run(std::function<Result<void>(Writer &)> change);

  std::unique_ptr<State> state_;
};

} // namespace trellis::auth
