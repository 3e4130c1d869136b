// KV buckets on JetStream, byte-compatible with the NATS client libraries' (09 B; 02 §7.3).
//
// Reads ask the stream's leader (STREAM.MSG.GET), as clients do that bind to a bucket: with replicas a direct get may
// come from one that hasn't seen the write which a browser was just told about.
#pragma once

#include "transport/jetstream.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

struct KvConfig {
  std::string bucket;
  int history = 1;
  std::chrono::milliseconds ttl{0}; // 0 = none
  std::int64_t max_value_bytes = -1;
  int replicas = 1;
  bool lower_replicas = false; // ensure() applies `replicas` as it is: a configured number, not a probed one (02 §7.6)
};
std::string kv_stream_config(const KvConfig &config); // 02 §7.3's table, as JSON

// A key as 09 B4 allows it; a filter of keys, whose tokens may also be `*` and, at the end, `>`.
bool is_kv_key(std::string_view text);
bool is_kv_filter(std::string_view text);

struct KvEntry {
  std::string key, value;
  std::uint64_t revision = 0;
};

// Codes of its own: "kv_exists" (create on a live key), "kv_changed" (revision check failed), "kv_invalid_key"; where =
// the key.
namespace kv_error {
inline constexpr char kExists[] = "kv_exists";
inline constexpr char kChanged[] = "kv_changed";
inline constexpr char kInvalidKey[] = "kv_invalid_key";
} // namespace kv_error

// [thread-safe] Holds names only.
class Kv {
public:
  Kv(Transport &transport, std::string bucket, std::chrono::milliseconds timeout = std::chrono::seconds(5));

  // Creates the bucket, or adjusts an existing one as 02 §7.7 says: a smaller max_age is raised (0 = none is larger
  // than any), num_replicas is raised, and lowered only with `lower_replicas`. "Already in use" while creating counts
  // as existing.
  static Result<void> ensure(Transport &transport, const KvConfig &config);

  Result<std::optional<KvEntry>> get(std::string_view key); // nullopt: absent, deleted or expired
  Result<std::uint64_t> put(std::string_view key, std::string_view value);
  Result<std::uint64_t> create(std::string_view key, std::string_view value);
  Result<std::uint64_t> update(std::string_view key, std::string_view value, std::uint64_t revision);
  Result<void> erase(std::string_view key); // a delete marker
  // Delete marker only if the key's last revision is `revision`; "kv_changed" otherwise.
  Result<void> erase(std::string_view key, std::uint64_t revision);
  // Live keys that match `filter` (a subject pattern of the key), sorted.
  Result<std::vector<std::string>> keys(std::string_view filter);
  // The same with their values: one request more than there are keys, several at a time.
  Result<std::vector<KvEntry>> entries(std::string_view filter);

private:
  Result<std::uint64_t> store(std::string_view key, std::string_view value, const Headers &headers);

  JetStream jetstream_;
  std::string bucket_, stream_, prefix_;
};

} // namespace trellis
