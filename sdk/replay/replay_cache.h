// Which requests were seen already: the replay rule of 03 §10.1.
//
// A request can pass the freshness check for at most 60 s, so the cache forgets by time windows: two tables, each for
// requests that stop being fresh within one span of 64 s, are emptied in turn. That keeps lookups free of tombstones
// and makes forgetting one memset. The tables hold 64-bit keyed hashes in a memory-mapped file, so killing the process
// opens no window in which a recorded request could be sent again. Rejected: a map with expiry times, which a kill
// empties and whose clean-up runs inside requests.
#pragma once

#include "contracts/result.h"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>

namespace trellis {

class ReplayCache {
public:
  // Maps `file`, creating it (0600) when missing. Errors name the file: not ours, wrong version, not writable.
  static Result<std::unique_ptr<ReplayCache>> open(const std::filesystem::path &file);
  // A cache that dies with the process, for tests and throw-away hosts.
  static Result<std::unique_ptr<ReplayCache>> in_memory();

  ~ReplayCache();
  ReplayCache(const ReplayCache &) = delete;
  ReplayCache &operator=(const ReplayCache &) = delete;

  // [thread-safe] One atomic test-and-insert; false when (session_key, request_id) is recorded. `now`, `iat`: seconds,
  // already known to be fresh. "replay_cache_full" when the table can't grow: the request must then be refused.
  Result<bool> insert(std::string_view session_key, std::string_view request_id, std::int64_t now, std::int64_t iat);

  static constexpr std::size_t kFirstSlots = std::size_t{1} << 14; // a table, 8 bytes a slot
  static constexpr std::size_t kMaxSlots = std::size_t{1} << 26;   // about 45 million requests a minute

private:
  struct Mapping;
  explicit ReplayCache(std::unique_ptr<Mapping> mapping);
  Result<void> grow();

  std::mutex mutex_; // guards the mapping and everything in it
  std::unique_ptr<Mapping> mapping_;
};

} // namespace trellis
