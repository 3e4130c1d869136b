#include "wire/operation_frames.h"

#include "wire/operation_codec.h"
#include "wire/transfer_codec.h"
#include <array>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 5> kActions = {"get", "wait", "watch", "cancel", "signal"};
constexpr std::array<std::string_view, 7> kEvents = {"accepted",  "started", "progress", "transfer",
                                                     "completed", "failed",  "cancelled"};
constexpr std::array<std::string_view, 5> kKinds = {"snapshot", "event", "signal-accepted", "keepalive", "error"};

std::optional<OperationFrameKind> kind_of(std::string_view name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i)
    if (kKinds.at(i) == name) return static_cast<OperationFrameKind>(i);
  return std::nullopt;
}

OperationAction action_of(std::string_view name) {
  for (std::size_t i = 0; i < kActions.size(); ++i)
    if (kActions.at(i) == name) return static_cast<OperationAction>(i);
  return OperationAction::unknown;
}

AcceptedOperation read_accepted(const RecordReader &reader) {
  AcceptedOperation accepted;
  reader.literal("kind", "accepted");
  const RecordReader ref = reader.object("ref");
  accepted.ref = {ref.non_empty("id"), ref.text("service"), ref.text("operation")};
  accepted.snapshot = read_operation_snapshot(reader.object("snapshot"));
  if (reader.has("transfer")) accepted.transfer = read_transfer_grant(reader.object("transfer"));
  return accepted;
}

OperationControl read_control(const RecordReader &reader) {
  OperationControl control;
  control.action_name = reader.text("action");
  control.action = action_of(control.action_name);
  control.operation_id = reader.text("operationId");
  if (reader.is_text("signal")) control.signal = reader.text("signal");
  control.input = reader.optional_json("input");
  return control;
}

OperationEvent read_event(const RecordReader &reader) {
  OperationEvent event;
  event.type = reader.word("type", operation_event_of, "a type of operation events");
  event.snapshot = read_operation_snapshot(reader.object("snapshot"));
  if (event.type == OperationEventType::progress) {
    event.progress = reader.optional_json("progress");
    if (!event.progress) event.progress = event.snapshot.progress;
    if (!event.progress) reader.report("progress", "a value here or in the snapshot");
  }
  if (event.type == OperationEventType::transfer) {
    if (reader.has("transfer")) event.transfer = read_transfer_progress(reader.object("transfer"));
    if (!event.transfer) event.transfer = event.snapshot.transfer;
    if (!event.transfer) reader.report("transfer", "progress here or in the snapshot");
  }
  return event;
}

SignalAccepted read_signal_accepted(const RecordReader &reader) {
  return {reader.text("operationId"), reader.text("signal"), reader.integer("signalSequence"),
          reader.text("acceptedAt"), read_operation_snapshot(reader.object("snapshot"))};
}

OperationFrame read_frame(const RecordReader &reader, OperationFrameKind kind) {
  OperationFrame frame;
  frame.kind = kind;
  switch (kind) {
  case OperationFrameKind::snapshot: frame.snapshot = read_operation_snapshot(reader.object("snapshot")); break;
  case OperationFrameKind::event:
    frame.sequence = reader.integer("sequence");
    frame.event = read_event(reader.object("event"));
    break;
  case OperationFrameKind::signal_accepted: frame.accepted = read_signal_accepted(reader); break;
  case OperationFrameKind::keepalive: break;
  case OperationFrameKind::error: frame.error = reader.json_object("error"); break;
  }
  return frame;
}

std::string event_json(const OperationEvent &event) {
  JsonObjectText out;
  out.text("type", operation_event_name(event.type)).json("snapshot", to_json(event.snapshot));
  if (event.type == OperationEventType::progress) add_json(out, "progress", event.progress);
  if (event.type == OperationEventType::transfer && event.transfer) out.json("transfer", to_json(*event.transfer));
  return out.str();
}

} // namespace

std::string to_json(const AcceptedOperation &accepted) {
  JsonObjectText ref;
  ref.text("id", accepted.ref.id).text("service", accepted.ref.service).text("operation", accepted.ref.operation);
  JsonObjectText out;
  out.text("kind", "accepted").json("ref", ref.str()).json("snapshot", to_json(accepted.snapshot));
  if (accepted.transfer) out.json("transfer", to_json(*accepted.transfer));
  return out.str();
}

Result<AcceptedOperation> parse_accepted_operation(std::string_view text) {
  return read_record(text, read_accepted);
}

OperationControl make_control(OperationAction action, std::string operation_id) {
  const auto name =
      action == OperationAction::unknown ? std::string_view() : kActions.at(static_cast<std::size_t>(action));
  return {action, std::string(name), std::move(operation_id), {}, {}};
}

std::string to_json(const OperationControl &control) {
  JsonObjectText out;
  out.text("action", control.action_name).text("operationId", control.operation_id);
  add_text(out, "signal", control.signal);
  add_json(out, "input", control.input);
  return out.str();
}

Result<OperationControl> parse_operation_control(std::string_view text) {
  return read_record(text, read_control);
}

std::string operation_control_subject(std::string_view start_subject) {
  return std::string(start_subject).append(".control");
}

std::string_view operation_event_name(OperationEventType type) {
  return kEvents.at(static_cast<std::size_t>(type));
}

std::optional<OperationEventType> operation_event_of(std::string_view name) {
  for (std::size_t i = 0; i < kEvents.size(); ++i)
    if (kEvents.at(i) == name) return static_cast<OperationEventType>(i);
  return std::nullopt;
}

bool is_terminal(OperationEventType type) {
  return type == OperationEventType::completed || type == OperationEventType::failed ||
         type == OperationEventType::cancelled;
}

OperationEventType event_of_state(OperationState state) {
  switch (state) {
  case OperationState::pending: return OperationEventType::accepted;
  case OperationState::running: return OperationEventType::started;
  case OperationState::completed: return OperationEventType::completed;
  case OperationState::failed: return OperationEventType::failed;
  case OperationState::cancelled: return OperationEventType::cancelled;
  }
  return OperationEventType::accepted;
}

OperationFrame snapshot_frame(OperationSnapshot snapshot) {
  OperationFrame frame;
  frame.kind = OperationFrameKind::snapshot;
  frame.snapshot = std::move(snapshot);
  return frame;
}

OperationFrame event_frame(std::int64_t sequence, OperationEvent event) {
  OperationFrame frame;
  frame.kind = OperationFrameKind::event;
  frame.sequence = sequence;
  frame.event = std::move(event);
  return frame;
}

OperationFrame signal_accepted_frame(SignalAccepted accepted) {
  OperationFrame frame;
  frame.kind = OperationFrameKind::signal_accepted;
  frame.accepted = std::move(accepted);
  return frame;
}

OperationFrame keepalive_frame() {
  return {};
}

OperationFrame error_frame(std::string error_json) {
  OperationFrame frame;
  frame.kind = OperationFrameKind::error;
  frame.error = std::move(error_json);
  return frame;
}

std::string to_json(const OperationFrame &frame) {
  JsonObjectText out;
  out.text("kind", kKinds.at(static_cast<std::size_t>(frame.kind)));
  switch (frame.kind) {
  case OperationFrameKind::snapshot: out.json("snapshot", to_json(frame.snapshot)); break;
  case OperationFrameKind::event: out.number("sequence", frame.sequence).json("event", event_json(frame.event)); break;
  case OperationFrameKind::signal_accepted:
    out.text("operationId", frame.accepted.operation_id).text("signal", frame.accepted.signal);
    out.number("signalSequence", frame.accepted.signal_sequence).text("acceptedAt", frame.accepted.accepted_at);
    out.json("snapshot", to_json(frame.accepted.snapshot));
    break;
  case OperationFrameKind::keepalive: break;
  case OperationFrameKind::error: out.json("error", frame.error); break;
  }
  return out.str();
}

Result<OperationFrame> parse_operation_frame(std::string_view text) {
  const auto document = parse_json(text);
  if (!document) return tl::unexpected<Error>(document.error());
  const auto kind = kind_of(string_member(*document, "kind"));
  if (!kind)
    return fail("unknown_frame", "/kind", "not a frame of an operation",
                "snapshot, event, signal-accepted, keepalive or error");
  const RecordReader reader(*document);
  return reader.finish(read_frame(reader, *kind));
}

} // namespace trellis
