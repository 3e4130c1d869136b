#include "nats/copies.h"

#include "transport/transport.h"
#include <string>

namespace trellis {

namespace {

constexpr std::chrono::seconds kOnTheWay{1};             // for copies that were sent before the old connection stopped
constexpr std::size_t kMostAhead = std::size_t{1} << 16; // beyond that a copy passes, rather than that memory grows

// Neither subjects nor headers hold a line feed.
Sha256 bytes_of(const Message &message) {
  std::string text;
  text.append(message.subject()).append("\n").append(message.reply()).append("\n");
  for (const auto &header : message.headers())
    text.append(header.name).append(":").append(header.value).append("\n");
  text.append("\n").append(message.payload());
  return sha256(as_bytes(text));
}

} // namespace

void Copies::begin() {
  const std::lock_guard lock(mutex_);
  if (Clock::now() >= until_) ahead_.clear(); // what is left of the rotation before
  until_ = Clock::time_point::max();
  expected_ = true;
}

void Copies::end() {
  const std::lock_guard lock(mutex_);
  if (until_ == Clock::time_point::max()) until_ = Clock::now() + kOnTheWay;
}

bool Copies::is_copy(const void *connection, const Message &message) {
  if (!expected_) return false;
  const auto bytes = bytes_of(message);
  const std::lock_guard lock(mutex_);
  if (Clock::now() >= until_) {
    expected_ = false;
    ahead_.clear();
    return false;
  }
  const auto found = ahead_.find(bytes);
  if (found == ahead_.end()) {
    if (ahead_.size() < kMostAhead) ahead_.emplace(bytes, Ahead{connection, 1});
    return false;
  }
  auto &ahead = found->second;
  if (ahead.connection == connection) {
    ++ahead.times;
    return false;
  }
  if (--ahead.times == 0) ahead_.erase(found);
  return true;
}

} // namespace trellis
