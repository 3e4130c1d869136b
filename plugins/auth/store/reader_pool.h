// Connections for reading: each borrower has one for itself and sees one snapshot until it gives it back.
//
// As many as are wanted at once are opened, a few are kept: a limit would make a reader wait for others, and how many
// read at once is bounded by the host's threads already.
#pragma once

#include "store/sql.h"
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

namespace trellis::auth {

class ReaderPool { // [thread-safe]
public:
  explicit ReaderPool(std::filesystem::path file) : file_(std::move(file)) {}
  std::unique_ptr<Reader> borrow(); // in a transaction; throws SqlError
  void give_back(std::unique_ptr<Reader> reader);

private:
  const std::filesystem::path file_;
  std::mutex mutex_; // guards idle_
  std::vector<std::unique_ptr<Reader>> idle_;
};

} // namespace trellis::auth
