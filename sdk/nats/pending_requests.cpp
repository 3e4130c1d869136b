#include "nats/pending_requests.h"
#include <utility>

namespace trellis {

std::optional<PendingRequests::Added> PendingRequests::add(PendingRequest &request) {
  const std::lock_guard lock(mutex_);
  if (closed_) return std::nullopt;
  const auto token = ++last_token_;
  const auto place = deadlines_.emplace(request.deadline, token).first;
  requests_.emplace(token, std::move(request));
  return Added{.token = token, .earliest = place == deadlines_.begin()};
}

std::optional<PendingRequest> PendingRequests::take(std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  const auto found = requests_.find(token);
  if (found == requests_.end()) return std::nullopt;
  return remove(found);
}

std::vector<PendingRequest> PendingRequests::take_expired(Time now) {
  std::vector<PendingRequest> expired;
  const std::lock_guard lock(mutex_);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now)
    expired.push_back(remove(requests_.find(deadlines_.begin()->second)));
  return expired;
}

std::vector<PendingRequest> PendingRequests::take_refused(std::string_view subject, const void *on) {
  std::vector<PendingRequest> refused;
  const std::lock_guard lock(mutex_);
  for (auto entry = requests_.begin(); entry != requests_.end();) {
    const auto current = entry++;
    if (current->second.subject == subject && current->second.connection.get() == on)
      refused.push_back(remove(current));
  }
  return refused;
}

std::vector<PendingRequest> PendingRequests::close() {
  std::vector<PendingRequest> left;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto &[token, request] : requests_)
    left.push_back(std::move(request));
  requests_.clear();
  deadlines_.clear();
  return left;
}

std::optional<PendingRequests::Time> PendingRequests::next_deadline() const {
  const std::lock_guard lock(mutex_);
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

PendingRequest PendingRequests::remove(Map::iterator entry) {
  deadlines_.erase({entry->second.deadline, entry->first});
  PendingRequest request = std::move(entry->second);
  requests_.erase(entry);
  return request;
}

} // namespace trellis
