#include "store/reader_pool.h"

#include "store/connection.h"

namespace trellis::auth {
namespace {

constexpr std::size_t kKept = 8;

std::unique_ptr<Reader> open(const std::filesystem::path &file) {
  auto connection = std::make_unique<Connection>(file);
  connection->execute("PRAGMA query_only = ON");
  return std::make_unique<ConnectedReader>(std::move(connection));
}

} // namespace

std::unique_ptr<Reader> ReaderPool::borrow() {
  std::unique_ptr<Reader> reader;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      reader = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!reader) reader = open(file_);
  reader->query("BEGIN").next();
  return reader;
}

void ReaderPool::give_back(std::unique_ptr<Reader> reader) {
  try {
    reader->query("COMMIT").next();
  } catch (const SqlError &) {
    return; // closed, not kept: its state is unknown
  }
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kKept) idle_.push_back(std::move(reader));
}

} // namespace trellis::auth
