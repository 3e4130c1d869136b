// The requests of one transport that wait for their answer: token → what to do, ordered by deadline as well.
//
// Whoever takes an entry out answers it, so each is answered exactly once although replies, timeouts, refusals and
// close() compete for it. Knows neither clock nor network. Tokens are never used twice.
#pragma once

#include "nats/connection_use.h"
#include "transport/transport.h"
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trellis {

struct PendingRequest {
  std::string subject;
  Transport::OnReply on_reply;
  std::chrono::steady_clock::time_point deadline;
  ConnectionUse connection; // the one it was sent on, which stays open for the answer
};

class PendingRequests {
public:
  using Time = std::chrono::steady_clock::time_point;

  struct Added {
    std::uint64_t token = 0;
    bool earliest = false; // no other deadline is nearer: the alarm may have to be set
  };
  // nullopt after close(); `request` is then untouched.
  std::optional<Added> add(PendingRequest &request);
  std::optional<PendingRequest> take(std::uint64_t token);
  std::vector<PendingRequest> take_expired(Time now);
  // Those sent to `subject` on the connection `on`.
  std::vector<PendingRequest> take_refused(std::string_view subject, const void *on);
  // All of them, and lets no more in.
  std::vector<PendingRequest> close();

  std::optional<Time> next_deadline() const;

private:
  using Map = std::unordered_map<std::uint64_t, PendingRequest>;
  PendingRequest remove(Map::iterator entry);

  mutable std::mutex mutex_; // guards everything below
  Map requests_;
  std::set<std::pair<Time, std::uint64_t>> deadlines_;
  std::uint64_t last_token_ = 0;
  bool closed_ = false;
};

} // namespace trellis
