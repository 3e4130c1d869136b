// Operations as records: the snapshot that callers see and the record that their owner keeps (07 A3, A9).
//
// A snapshot is read in two ways: our store insists on what it writes, while a caller must take what Rust services
// send, who leave out names and times. JSON values (progress, output, errors, signal inputs) stay texts.
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

enum class OperationState { pending, running, completed, failed, cancelled };
std::string_view operation_state_name(OperationState state);
std::optional<OperationState> operation_state_of(std::string_view name);
bool is_terminal(OperationState state); // completed, failed, cancelled

struct TransferProgress {
  std::int64_t chunk_index = 0, chunk_bytes = 0, transferred_bytes = 0;
  bool operator==(const TransferProgress &) const = default;
};

struct OperationSnapshot {
  std::optional<std::string> id, service, operation; // always from ours
  std::int64_t revision = 1;
  OperationState state = OperationState::pending;
  std::optional<std::string> created_at, updated_at; // always from ours
  std::optional<std::string> completed_at;           // only in a terminal state
  std::optional<std::string> progress;               // JSON
  std::optional<TransferProgress> transfer;
  std::optional<std::string> output; // JSON; completed with a value
  std::optional<std::string> error;  // JSON object with string type and message; failed
  bool operator==(const OperationSnapshot &) const = default;
};
std::string to_json(const OperationSnapshot &snapshot);
// What callers accept. Error "invalid_record"; unknown members are ignored.
Result<OperationSnapshot> parse_operation_snapshot(std::string_view text);

struct OperationSignal {
  std::string operation_id;
  std::int64_t sequence = 1;
  std::string signal;
  std::optional<std::string> input; // JSON; absent when the signal had none
  std::string accepted_at;
  bool operator==(const OperationSignal &) const = default;
};

// What is stored under the operation's id, whole, after every change.
struct OperationRecord {
  std::string owner_session_key;
  std::int64_t sequence = 0;        // changes so far: revision - 1
  std::int64_t signal_sequence = 0; // signals so far
  std::vector<OperationSignal> signals;
  OperationSnapshot snapshot; // with names and times
  bool operator==(const OperationRecord &) const = default;
};
std::string to_json(const OperationRecord &record);
// Error "invalid_record". Absent signals read as none; unknown members are ignored.
Result<OperationRecord> parse_operation_record(std::string_view text);

} // namespace trellis
