// How an operation's record changes (07 A3, A8, A12): each change is one step of revision and sequence, a terminal
// snapshot never changes again, and progress or transfer of a pending operation make it running.
//
// On the record alone, so that whoever owns operations (the operations plugin, the control plane's own one) can persist
// the changed copy before anybody hears of it, and drop it when that fails.
#pragma once

#include "wire/operation_frames.h"

namespace trellis {

// Pending, revision 1.
OperationRecord new_operation(OperationRef ref, std::string owner_session_key, const std::string &now);

// What a change gives: the event with its sequence, for every watcher.
struct OperationChange {
  std::int64_t sequence = 0;
  OperationEvent event;
};
// Error "operation_terminal" of each: the operation is over, and nothing changed. JSON values as text.
Result<OperationChange> start_operation(OperationRecord &record, const std::string &now);
Result<OperationChange> progress_operation(OperationRecord &record, std::string progress, const std::string &now);
Result<OperationChange> transfer_operation(OperationRecord &record, TransferProgress transfer, const std::string &now);
Result<OperationChange> complete_operation(OperationRecord &record, std::optional<std::string> output,
                                           const std::string &now);
Result<OperationChange> fail_operation(OperationRecord &record, std::string error, const std::string &now);
Result<OperationChange> cancel_operation(OperationRecord &record, const std::string &now);

// Appends to the signal log; state, revision and sequence stay. Error "operation_terminal".
Result<SignalAccepted> signal_operation(OperationRecord &record, std::string signal, std::optional<std::string> input,
                                        const std::string &now);

} // namespace trellis
