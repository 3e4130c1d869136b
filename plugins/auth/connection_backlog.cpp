#include "connection_backlog.h"

#include "wire/subjects.h"
#include <algorithm>

namespace trellis::auth {

bool ConnectionBacklog::add(const ConnectionRecord &record) {
  auto key = format_connection_key(record.key);
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= most_) return false;
  entries_.push_back({std::move(key), record});
  return true;
}

bool ConnectionBacklog::remove(std::string_view key) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(entries_, [&](const Entry &entry) { return entry.key == key; }) > 0;
}

std::optional<ConnectionRecord> ConnectionBacklog::take(std::string_view server_id, std::int64_t client_id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry &entry) {
    return entry.record.server_id == server_id && entry.record.client_id == client_id;
  });
  if (found == entries_.end()) return std::nullopt;
  auto record = std::move(found->record);
  entries_.erase(found);
  return record;
}

std::optional<ConnectionRecord> ConnectionBacklog::first() const {
  const std::lock_guard lock(mutex_);
  if (entries_.empty()) return std::nullopt;
  return entries_.front().record;
}

std::vector<ConnectionRecord> ConnectionBacklog::matching(std::string_view filter) const {
  std::vector<ConnectionRecord> out;
  const std::lock_guard lock(mutex_);
  for (const auto &entry : entries_)
    if (subject_matches(filter, entry.key)) out.push_back(entry.record);
  return out;
}

} // namespace trellis::auth
