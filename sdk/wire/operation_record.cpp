#include "wire/operation_codec.h"

#include <array>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 5> kStates = {"pending", "running", "completed", "failed", "cancelled"};

OperationSignal read_signal(const RecordReader &reader) {
  return {reader.text("operationId"), reader.integer("sequence", 1), reader.text("signal"),
          reader.optional_json("input"), reader.time("acceptedAt")};
}

void require_names_and_times(const RecordReader &reader) {
  for (const char *name : {"id", "service", "operation"})
    (void)reader.text(name);
  for (const char *name : {"createdAt", "updatedAt"})
    (void)reader.time(name);
}

OperationRecord read_record_members(const RecordReader &reader) {
  OperationRecord record;
  record.owner_session_key = reader.text("ownerSessionKey");
  record.sequence = reader.integer("sequence");
  record.signal_sequence = reader.optional_integer("signalSequence").value_or(0);
  if (reader.has("signals")) record.signals = reader.list("signals", read_signal);
  const RecordReader snapshot = reader.object("snapshot");
  require_names_and_times(snapshot);
  record.snapshot = read_operation_snapshot(snapshot);
  return record;
}

std::string signal_json(const OperationSignal &signal) {
  JsonObjectText out;
  out.text("operationId", signal.operation_id).number("sequence", signal.sequence).text("signal", signal.signal);
  add_json(out, "input", signal.input);
  return out.text("acceptedAt", signal.accepted_at).str();
}

} // namespace

std::string_view operation_state_name(OperationState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

std::optional<OperationState> operation_state_of(std::string_view name) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (kStates.at(i) == name) return static_cast<OperationState>(i);
  return std::nullopt;
}

bool is_terminal(OperationState state) {
  return state != OperationState::pending && state != OperationState::running;
}

TransferProgress read_transfer_progress(const RecordReader &reader) {
  return {reader.integer("chunkIndex"), reader.integer("chunkBytes"), reader.integer("transferredBytes")};
}

OperationSnapshot read_operation_snapshot(const RecordReader &reader) {
  OperationSnapshot snapshot;
  snapshot.id = reader.optional_text("id");
  snapshot.service = reader.optional_text("service");
  snapshot.operation = reader.optional_text("operation");
  snapshot.revision = reader.integer("revision", 1);
  snapshot.state = reader.word("state", operation_state_of, "pending, running, completed, failed or cancelled");
  snapshot.created_at = reader.optional_time("createdAt");
  snapshot.updated_at = reader.optional_time("updatedAt");
  snapshot.completed_at = reader.optional_time("completedAt");
  snapshot.progress = reader.optional_json("progress");
  if (reader.has("transfer")) snapshot.transfer = read_transfer_progress(reader.object("transfer"));
  snapshot.output = reader.optional_json("output");
  snapshot.error = reader.optional_json_object("error");
  if (!snapshot.error) return snapshot;
  const RecordReader error = reader.object("error");
  (void)error.text("type");
  (void)error.text("message");
  return snapshot;
}

std::string to_json(const TransferProgress &progress) {
  return JsonObjectText()
      .number("chunkIndex", progress.chunk_index)
      .number("chunkBytes", progress.chunk_bytes)
      .number("transferredBytes", progress.transferred_bytes)
      .str();
}

std::string to_json(const OperationSnapshot &snapshot) {
  JsonObjectText out;
  add_text(out, "id", snapshot.id);
  add_text(out, "service", snapshot.service);
  add_text(out, "operation", snapshot.operation);
  out.number("revision", snapshot.revision).text("state", operation_state_name(snapshot.state));
  add_text(out, "createdAt", snapshot.created_at);
  add_text(out, "updatedAt", snapshot.updated_at);
  add_text(out, "completedAt", snapshot.completed_at);
  add_json(out, "progress", snapshot.progress);
  if (snapshot.transfer) out.json("transfer", to_json(*snapshot.transfer));
  add_json(out, "output", snapshot.output);
  add_json(out, "error", snapshot.error);
  return out.str();
}

Result<OperationSnapshot> parse_operation_snapshot(std::string_view text) {
  return read_record(text, read_operation_snapshot);
}

std::string to_json(const OperationRecord &record) {
  return JsonObjectText()
      .text("ownerSessionKey", record.owner_session_key)
      .number("sequence", record.sequence)
      .number("signalSequence", record.signal_sequence)
      .json("signals", json_array(record.signals, signal_json))
      .json("snapshot", to_json(record.snapshot))
      .str();
}

Result<OperationRecord> parse_operation_record(std::string_view text) {
  return read_record(text, read_record_members);
}

} // namespace trellis
