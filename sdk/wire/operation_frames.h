// What operations and their callers send each other (07 A2, A5, A7).
//
// A frame is a value with a kind and the members of all kinds: five types in a variant would make every reader switch
// over types where it already switches over kinds. Only the members of its kind are written and read.
#pragma once

#include "wire/operation_record.h"
#include "wire/transfer_grant.h"

namespace trellis {

struct OperationRef {
  std::string id, service, operation;
  bool operator==(const OperationRef &) const = default;
};

// The answer to a start.
struct AcceptedOperation {
  OperationRef ref;
  OperationSnapshot snapshot;
  std::optional<TransferGrant> transfer; // exactly when the descriptor declares a transfer
  bool operator==(const AcceptedOperation &) const = default;
};
std::string to_json(const AcceptedOperation &accepted);
Result<AcceptedOperation> parse_accepted_operation(std::string_view text);

enum class OperationAction { get, wait, watch, cancel, signal, unknown };
struct OperationControl {
  OperationAction action = OperationAction::unknown;
  std::string action_name; // as sent: an unknown action is refused only after it was authenticated (07 A5)
  std::string operation_id;
  std::optional<std::string> signal; // a text, if there is one
  std::optional<std::string> input;  // JSON
  bool operator==(const OperationControl &) const = default;
};
OperationControl make_control(OperationAction action, std::string operation_id);
std::string to_json(const OperationControl &control);
// Needs string action and operationId. A signal that is no text reads as absent: the handler names that mistake.
Result<OperationControl> parse_operation_control(std::string_view text);

// "<start subject>.control"
std::string operation_control_subject(std::string_view start_subject);

enum class OperationEventType { accepted, started, progress, transfer, completed, failed, cancelled };
std::string_view operation_event_name(OperationEventType type);
std::optional<OperationEventType> operation_event_of(std::string_view name);
bool is_terminal(OperationEventType type);
// What a snapshot frame in a watch stands for.
OperationEventType event_of_state(OperationState state);

struct OperationEvent {
  OperationEventType type = OperationEventType::accepted;
  OperationSnapshot snapshot;
  // Of a progress or transfer event; when reading, the snapshot's where the event has none. JSON.
  std::optional<std::string> progress;
  std::optional<TransferProgress> transfer;
  bool operator==(const OperationEvent &) const = default;
};

struct SignalAccepted {
  std::string operation_id, signal;
  std::int64_t signal_sequence = 1;
  std::string accepted_at; // a time from ours; any text when reading
  OperationSnapshot snapshot;
  bool operator==(const SignalAccepted &) const = default;
};

enum class OperationFrameKind { snapshot, event, signal_accepted, keepalive, error };
struct OperationFrame {
  OperationFrameKind kind = OperationFrameKind::keepalive;
  OperationSnapshot snapshot;
  std::int64_t sequence = 0; // of an event
  OperationEvent event;
  SignalAccepted accepted;
  std::string error = "{}"; // a serialized error: JSON object
  bool operator==(const OperationFrame &) const = default;
};
OperationFrame snapshot_frame(OperationSnapshot snapshot);
OperationFrame event_frame(std::int64_t sequence, OperationEvent event);
OperationFrame signal_accepted_frame(SignalAccepted accepted);
OperationFrame keepalive_frame();
OperationFrame error_frame(std::string error_json);

std::string to_json(const OperationFrame &frame);
// Error "invalid_record", or "unknown_frame" for a kind that is none of ours. A progress or transfer event without its
// value, in event and snapshot, is invalid.
Result<OperationFrame> parse_operation_frame(std::string_view text);

} // namespace trellis
