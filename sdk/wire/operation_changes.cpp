#include "wire/operation_changes.h"

namespace trellis {
namespace {

tl::unexpected<Error> over(const OperationRecord &record) {
  return fail("operation_terminal", record.snapshot.id.value_or(""),
              "the operation is " + std::string(operation_state_name(record.snapshot.state)), "pending or running");
}

// Everything that every change does; `change` does the rest of the snapshot.
template <class Change>
Result<OperationChange> changed(OperationRecord &record, OperationEventType type, OperationState state,
                                const std::string &now, const Change &change) {
  OperationSnapshot &snapshot = record.snapshot;
  if (is_terminal(snapshot.state)) return over(record);
  ++record.sequence;
  ++snapshot.revision;
  snapshot.state = state;
  snapshot.updated_at = now;
  if (is_terminal(state)) snapshot.completed_at = now;
  change(snapshot);
  OperationEvent event{type, snapshot, {}, {}};
  if (type == OperationEventType::progress) event.progress = snapshot.progress;
  if (type == OperationEventType::transfer) event.transfer = snapshot.transfer;
  return OperationChange{record.sequence, std::move(event)};
}

void nothing_more(OperationSnapshot &) {}

} // namespace

OperationRecord new_operation(OperationRef ref, std::string owner_session_key, const std::string &now) {
  OperationRecord record;
  record.owner_session_key = std::move(owner_session_key);
  record.snapshot.id = std::move(ref.id);
  record.snapshot.service = std::move(ref.service);
  record.snapshot.operation = std::move(ref.operation);
  record.snapshot.created_at = now;
  record.snapshot.updated_at = now;
  return record;
}

Result<OperationChange> start_operation(OperationRecord &record, const std::string &now) {
  return changed(record, OperationEventType::started, OperationState::running, now, nothing_more);
}

Result<OperationChange> progress_operation(OperationRecord &record, std::string progress, const std::string &now) {
  return changed(record, OperationEventType::progress, OperationState::running, now,
                 [&](OperationSnapshot &snapshot) { snapshot.progress = std::move(progress); });
}

Result<OperationChange> transfer_operation(OperationRecord &record, TransferProgress transfer, const std::string &now) {
  return changed(record, OperationEventType::transfer, OperationState::running, now,
                 [&](OperationSnapshot &snapshot) { snapshot.transfer = transfer; });
}

Result<OperationChange> complete_operation(OperationRecord &record, std::optional<std::string> output,
                                           const std::string &now) {
  return changed(record, OperationEventType::completed, OperationState::completed, now,
                 [&](OperationSnapshot &snapshot) { snapshot.output = std::move(output); });
}

Result<OperationChange> fail_operation(OperationRecord &record, std::string error, const std::string &now) {
  return changed(record, OperationEventType::failed, OperationState::failed, now,
                 [&](OperationSnapshot &snapshot) { snapshot.error = std::move(error); });
}

Result<OperationChange> cancel_operation(OperationRecord &record, const std::string &now) {
  return changed(record, OperationEventType::cancelled, OperationState::cancelled, now, nothing_more);
}

Result<SignalAccepted> signal_operation(OperationRecord &record, std::string signal, std::optional<std::string> input,
                                        const std::string &now) {
  if (is_terminal(record.snapshot.state)) return over(record);
  const std::string id = record.snapshot.id.value_or("");
  const std::int64_t sequence = ++record.signal_sequence;
  record.signals.push_back({id, sequence, signal, std::move(input), now});
  return SignalAccepted{id, std::move(signal), sequence, now, record.snapshot};
}

} // namespace trellis
