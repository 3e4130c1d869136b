// Participant state: the stored envelope, the key under which it lies, and what its RPCs answer (09 A).
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

inline constexpr char kStateBucket[] = "trellis_state";
inline constexpr char kDefaultStateVersion[] = "v1";
inline constexpr std::size_t kStateKeyBytes = 512;      // of a map key or prefix, before encoding
inline constexpr std::size_t kStateValueBytes = 65'536; // of compact JSON
inline constexpr std::int64_t kStateListLimit = 100;

struct StateEnvelope {
  std::string value = "null"; // JSON
  std::string updated_at, state_version, writer_contract_digest;
  std::optional<std::string> expires_at;
  bool operator==(const StateEnvelope &) const = default;
};
std::string to_json(const StateEnvelope &envelope);
// Error "invalid_record". Times in any but the written form are corruption here (09 A5); unknown members are ignored.
Result<StateEnvelope> parse_state_envelope(std::string_view text);
bool is_expired(const StateEnvelope &envelope, std::int64_t now_ms);

// Where a store lies.
struct StateAddress {
  std::string owner_type; // "user" or "device"
  std::string owner_key, contract_id, store;
};
std::string state_token(std::string_view text); // 09 A4 `enc`
// nullopt for a text that state_token doesn't give.
std::optional<std::string> state_token_text(std::string_view token);
std::string state_namespace(const StateAddress &store);                     // without the last part
std::string state_value_key(const StateAddress &store);                     // "....=value"
std::string state_map_key(const StateAddress &store, std::string_view key); // "....<enc(key)>"
// The map key of a key below the store's namespace; nullopt for its "=value" and for another's key.
std::optional<std::string> state_key_of(const StateAddress &store, std::string_view key);

struct StateEntry {
  std::optional<std::string> key; // of map stores
  std::string value = "null";     // JSON
  std::string revision, updated_at;
  std::optional<std::string> expires_at;
  bool operator==(const StateEntry &) const = default;
};
struct StateMigration { // the stored version isn't the caller's
  std::string state_version, current_state_version, writer_contract_digest;
  bool operator==(const StateMigration &) const = default;
};
// What reading an entry gives.
struct StateReading {
  StateEntry entry;
  std::optional<StateMigration> migration;
  bool operator==(const StateReading &) const = default;
};
StateReading read_state(const StateEnvelope &envelope, std::string revision, std::optional<std::string> map_key,
                        std::string_view current_version);

// Answers. `reading` absent = not found.
struct StateGetAnswer {
  std::optional<StateReading> reading;
  bool operator==(const StateGetAnswer &) const = default;
};
struct StatePutAnswer {
  bool applied = false;
  std::optional<StateReading> reading; // the entry written, or the one in the way
  bool operator==(const StatePutAnswer &) const = default;
};
struct StatePage {
  std::vector<StateReading> entries;
  std::int64_t count = 0, offset = 0, limit = 0;
  std::optional<std::int64_t> next_offset;
  bool operator==(const StatePage &) const = default;
};
std::string to_json(const StateGetAnswer &answer);
std::string to_json(const StatePutAnswer &answer);
std::string to_json(const StatePage &page);
Result<StateGetAnswer> parse_state_get(std::string_view text);
Result<StatePutAnswer> parse_state_put(std::string_view text);
Result<StatePage> parse_state_page(std::string_view text);
// offset + limit, only when there is more and the limit isn't 0.
std::optional<std::int64_t> next_offset(std::int64_t offset, std::int64_t limit, std::int64_t count);

} // namespace trellis
