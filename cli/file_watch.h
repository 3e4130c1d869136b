// Waits until one of some files has been written or replaced.
//
// Watches the folders, not the files: compilers and linkers write a new file and rename it over the old one, which a
// watch on the file itself would miss.
#pragma once

#include "contracts/result.h"
#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

namespace trellis::cli {

class FileWatch {
public:
  // Error "watch_failed".
  static Result<FileWatch> open(const std::vector<std::filesystem::path> &files);
  FileWatch(FileWatch &&other) noexcept;
  FileWatch &operator=(FileWatch &&) = delete;
  ~FileWatch();

  // [may block] True when a file changed and then stayed unchanged for a moment; false after `limit`, or when a signal
  // came.
  bool wait(std::chrono::milliseconds limit);
  // [may block] True as soon as a file was written; false at `deadline`, when a signal came, or when the descriptor
  // `other` became readable (-1: none), for programs that may end instead of writing.
  bool wait_written(std::chrono::steady_clock::time_point deadline, int other = -1);

private:
  FileWatch() = default;

  int fd_ = -1;
  std::map<int, std::set<std::string>> watched_; // watch -> file names in that folder
};

} // namespace trellis::cli
