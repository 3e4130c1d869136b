#include "wire/operation_changes.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr char kStart[] = "2026-03-01T10:00:00.000Z";
constexpr char kLater[] = "2026-03-01T10:00:02.000Z";

OperationRecord refund() {
  return new_operation({"op1", "billing-1", "Billing.Refund"}, "key", kStart);
}

std::string refused_at(std::string_view text) {
  const auto frame = parse_operation_frame(text);
  return frame ? "" : frame.error().code + " " + frame.error().where;
}

} // namespace

TEST_CASE("every change is one step of revision and sequence") {
  OperationRecord record = refund();
  CHECK(record.snapshot.revision == 1);
  CHECK(start_operation(record, kLater)->sequence == 1);
  CHECK(progress_operation(record, R"({"m":1})", kLater)->event.progress == R"({"m":1})");
  const auto done = complete_operation(record, R"({"r":1})", kLater);
  CHECK(done->event.snapshot.revision == 4);
  CHECK(record.sequence == 3);
  CHECK(record.snapshot.completed_at == kLater);
  CHECK(record.snapshot.progress == R"({"m":1})");
}

TEST_CASE("progress and transfer make a pending operation running") {
  OperationRecord record = refund();
  CHECK(transfer_operation(record, {0, 5, 5}, kLater)->event.type == OperationEventType::transfer);
  CHECK(record.snapshot.state == OperationState::running);
  CHECK(record.snapshot.transfer == TransferProgress{0, 5, 5});
}

TEST_CASE("an operation that is over takes nothing more") {
  OperationRecord record = refund();
  REQUIRE(cancel_operation(record, kLater));
  const OperationRecord before = record;
  CHECK(complete_operation(record, {}, kLater).error().code == "operation_terminal");
  CHECK(fail_operation(record, "{}", kLater).error().code == "operation_terminal");
  CHECK(transfer_operation(record, {}, kLater).error().code == "operation_terminal");
  CHECK(signal_operation(record, "note", {}, kLater).error().code == "operation_terminal");
  CHECK(record == before);
}

TEST_CASE("a signal is logged and changes neither state nor revision") {
  OperationRecord record = refund();
  CHECK(signal_operation(record, "note", {}, kLater)->signal_sequence == 1);
  CHECK(signal_operation(record, "approve", R"({"by":"ann"})", kLater)->signal_sequence == 2);
  CHECK(record.snapshot == refund().snapshot);
  CHECK(record.sequence == 0);
  CHECK_FALSE(record.signals[0].input);
}

TEST_CASE("a record reads back as it was written") {
  OperationRecord record = refund();
  REQUIRE(signal_operation(record, "note", "null", kLater));
  REQUIRE(fail_operation(record, R"({"type":"X","message":"m"})", kLater));
  CHECK(parse_operation_record(to_json(record)).value() == record);
}

TEST_CASE("a stored record must name its operation, a snapshot of a Rust service need not") {
  CHECK(parse_operation_snapshot(R"({"revision":2,"state":"running","more":1})")->revision == 2);
  CHECK(parse_operation_record(R"({"ownerSessionKey":"k","sequence":0,"snapshot":{"revision":1,"state":"pending"}})")
            .error()
            .where == "/snapshot/id");
  CHECK(parse_operation_snapshot(R"({"revision":0,"state":"running"})").error().where == "/revision");
  CHECK(parse_operation_snapshot(R"({"revision":1,"state":"failed","error":{"type":"X"}})").error().where ==
        "/error/message");
}

TEST_CASE("frames of every kind read back as they were written") {
  OperationRecord record = refund();
  const auto accepted = signal_operation(record, "note", {}, kLater).value();
  const auto progress = progress_operation(record, "1", kLater).value();
  for (const OperationFrame &frame :
       {snapshot_frame(record.snapshot), event_frame(progress.sequence, progress.event),
        signal_accepted_frame(accepted), keepalive_frame(), error_frame(R"({"type":"X","message":"m"})")}) {
    CAPTURE(to_json(frame));
    CHECK(parse_operation_frame(to_json(frame)).value() == frame);
  }
}

TEST_CASE("a progress event takes the snapshot's progress where it has none") {
  const auto frame = parse_operation_frame(
      R"({"kind":"event","sequence":1,"event":{"type":"progress","snapshot":{"revision":2,"state":"running","progress":7}}})");
  CHECK(frame->event.progress == "7");
  CHECK(
      refused_at(
          R"({"kind":"event","sequence":1,"event":{"type":"progress","snapshot":{"revision":2,"state":"running"}}})") ==
      "invalid_record /event/progress");
  CHECK(
      refused_at(
          R"({"kind":"event","sequence":1,"event":{"type":"transfer","snapshot":{"revision":2,"state":"running"}}})") ==
      "invalid_record /event/transfer");
  CHECK(refused_at(R"({"kind":"news"})") == "unknown_frame /kind");
  CHECK(refused_at(R"({"type":"UnexpectedError"})") == "unknown_frame /kind");
}

TEST_CASE("a control request is read as far as it can be authenticated") {
  const auto unknown =
      parse_operation_control(R"({"action":"pause","operationId":"op1","includeProgress":true})").value();
  CHECK(unknown.action == OperationAction::unknown);
  CHECK(unknown.action_name == "pause");
  CHECK_FALSE(parse_operation_control(R"({"action":"signal","operationId":"op1","signal":1})")->signal);
  CHECK(parse_operation_control(R"({"action":"get"})").error().where == "/operationId");
  OperationControl signal = make_control(OperationAction::signal, "op1");
  signal.signal = "note";
  signal.input = "null";
  CHECK(to_json(signal) == R"({"action":"signal","operationId":"op1","signal":"note","input":null})");
  CHECK(parse_operation_control(to_json(signal)).value() == signal);
  CHECK(operation_control_subject("operations.v1.A") == "operations.v1.A.control");
}

TEST_CASE("the answer to a start reads back, with its grant") {
  TransferGrant grant;
  grant.service = "files-1";
  grant.session_key = "k";
  grant.transfer_id = "t";
  grant.subject = "s";
  grant.expires_at = kLater;
  const AcceptedOperation accepted{{"op1", "billing-1", "Billing.Refund"}, refund().snapshot, grant};
  CHECK(parse_accepted_operation(to_json(accepted)).value() == accepted);
  CHECK(parse_accepted_operation(R"({"id":"e","type":"AuthError","message":"m"})").error().where == "/kind");
}
