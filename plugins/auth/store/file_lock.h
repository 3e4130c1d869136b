// Only one process at a time may have a database open: a second control plane would answer from caches that the first
// one's writes make wrong, and run its reconciliations beside the other's.
//
// flock() on a file of its own, `<database>.lock`, that names the holder for the operator. The kernel gives the lock up
// with the process, however it ends, so nothing stale is ever left: the file itself stays, because removing it would
// let two processes lock two files of one name. Rejected: SQLite's exclusive locking mode, which would keep backups
// (`.backup`) and our own readers out, a lock on the database file, where closing a second descriptor drops SQLite's
// own locks, and a file that only holds a process id, which a power cut leaves behind.
#pragma once

#include "contracts/result.h"
#include <filesystem>
#include <utility>

namespace trellis::auth {

class FileLock {
public:
  // Errors "database_in_use" (the message names the holder's process), "database_unreadable"; where = `file`.
  static Result<FileLock> take(const std::filesystem::path &file);
  ~FileLock();
  FileLock(FileLock &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock &operator=(FileLock &&) = delete;

private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

} // namespace trellis::auth
