// Connection records that JetStream didn't take in the time that a callout has (03 §2.3): kept here until it does.
//
// The participant gets in all the same (03 §6.7 step 3), so that somebody who revokes its session must find the
// connection here instead: a record that was only logged as lost would let it go on until its permissions expire.
// Rejected: waiting longer, which costs the participant its connection, and a file, because a control plane that starts
// again finds no connection of its own time without a record either way.
#pragma once

#include "connection_index.h"
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// [thread-safe] One mutex guards the list; it isn't held during requests.
class ConnectionBacklog {
public:
  explicit ConnectionBacklog(std::size_t most) : most_(most) {}

  // False: there is no room, the record isn't kept.
  bool add(const ConnectionRecord &record);
  // Its record is stored, or not wanted any more. False: somebody else was faster.
  bool remove(std::string_view key);
  // The connection ended.
  std::optional<ConnectionRecord> take(std::string_view server_id, std::int64_t client_id);
  std::optional<ConnectionRecord> first() const;
  std::vector<ConnectionRecord> matching(std::string_view filter) const; // as subjects match; in order of arrival

private:
  struct Entry {
    std::string key;
    ConnectionRecord record;
  };
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
};

} // namespace trellis::auth
