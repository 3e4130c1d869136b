// event-wire: preparing and publishing, outbox and inbox (README §3.4).
#include "event_cases.h"

#include "nats/nats_test_support.h"
#include "output.h"
#include "runtime/event_publisher.h"
#include "support/nats_server.h"
#include "transport/jetstream.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>
#include <trellis/inbox.h>
#include <trellis/outbox.h>

namespace trellis::vectors {
namespace events {
namespace {

JsonDocument parsed(std::string_view text) {
  return value_of(parse_json(text));
}

void check_members(const JsonValue &object, std::initializer_list<std::string_view> known, std::string_view what) {
  if (!object.IsObject()) throw std::runtime_error(std::string(what) + " is no object");
  for (const auto &member : object.GetObject())
    if (std::find(known.begin(), known.end(), text_of(member.name)) == known.end())
      throw std::runtime_error("unknown member " + std::string(text_of(member.name)) + " of " + std::string(what));
}

// {type, issuePaths?}: other members of an event's errors aren't part of the format.
Output error_output(const ErrorEnvelope &error) {
  Output out;
  out.text("type", error.type);
  const auto fields = parsed(error.fields);
  if (const auto *issues = find_member(fields, "issues")) {
    std::vector<std::string> paths;
    for (const auto &issue : issues->GetArray())
      paths.emplace_back(string_member(issue, "path"));
    out.texts("issuePaths", paths);
  }
  return out;
}

JsonDocument failed(const ErrorEnvelope &error) {
  return Output().json("error", error_output(error)).take();
}

Output headers_output(const Headers &headers) {
  Output out;
  for (const auto &header : headers)
    out.text(header.name, header.value);
  return out;
}

PreparedEvent prepared_event(const EventType &type, std::string_view data, const EventHeader &header) {
  auto event = prepare_event(type, data, header);
  if (!event) throw std::runtime_error(event.error().envelope.to_json());
  return std::move(*event);
}

// The contract's first event with a subject of its own.
std::shared_ptr<const EventType> plain_event(const CaseContext &context) {
  const Manifest contract = fixture_contract(context); // lives as long as the loop
  for (const auto &[name, event] : *contract.model().events)
    if (event.subject.find('{') == std::string::npos) return fixture_event(context, name);
  throw std::runtime_error("the contract has no event without parameters");
}

// Anyone is the user who may publish everything but the events.
constexpr char kNoEvents[] = "accounts { APP { jetstream: enabled, users: [ { user: anyone, password: anyone, "
                             "permissions: { publish: { deny: [\"events.>\"] } } } ] } }\nno_auth_user: anyone\n";

} // namespace

Manifest fixture_contract(const CaseContext &context) {
  const auto *contract = context.fixtures ? find_member(*context.fixtures, "contract") : nullptr;
  if (!contract) throw std::runtime_error("the file has no fixture contract");
  return value_of(Manifest::validate(*contract));
}

std::shared_ptr<const EventType> fixture_event(const CaseContext &context, std::string_view name) {
  return std::make_shared<const EventType>(value_of(compile_event(fixture_contract(context), name)));
}

JsonDocument prepare(const Input &input, const CaseContext &context) {
  const auto name = input.text("event");
  const auto subject = input.text("subjectTemplate");
  const auto data = to_json(input.at("data"));
  EventHeader header = new_event_header();
  header.id = input.text_or("headerId", header.id);
  header.time = input.text_or("headerTime", header.time);

  auto type = compile_event(fixture_contract(context), name);
  if (!type) return failed(event_failure(EventFailure::Cause::invalid, name, type.error().text()).envelope);
  type->subject = subject;
  const auto event = prepare_event(*type, data, header);
  if (!event) return failed(event.error().envelope);
  return Output()
      .text("subject", event->subject)
      .text("payload", event->payload)
      .json("headers", headers_output(event->headers))
      .take();
}

JsonDocument publish(const Input &input, const CaseContext &context) {
  const auto condition = input.text_or("condition", "");
  const auto *config = input.find("streamConfig");
  const bool same = input.flag("samePrepared");
  const int times = condition.empty() ? static_cast<int>(input.number("publishes")) : 1;
  if (!condition.empty() && condition != "publish_denied" && condition != "no_stream")
    throw std::runtime_error("unknown condition " + condition);

  const test::NatsServer server({condition == "publish_denied" ? kNoEvents : "", true, false});
  const auto loop = test::start_loop();
  const auto transport = test::open_connected(*loop, server.url());
  JetStream jetstream(*transport);
  if (config) value_of(jetstream.create_stream(string_member(*config, "name"), to_json(*config)));

  const auto type = plain_event(context);
  const auto make = [&] { return prepared_event(*type, R"({"message":"x"})", new_event_header()); };
  auto event = make();
  bool all = true;
  for (int i = 0; i < times; ++i) {
    if (i > 0 && !same) event = make();
    const auto published = publish_event_and_wait(*transport, event);
    if (!published && !condition.empty()) return failed(published.error().envelope);
    all = all && published;
  }
  if (!config) return Output().flag("bothCallsSucceed", all).take();
  const auto info = value_of(jetstream.stream_info(string_member(*config, "name")));
  return Output()
      .number("storedMessages", info["state"]["messages"].GetDouble())
      .flag("bothCallsSucceed", all)
      .number("duplicateWindowSeconds", info["config"]["duplicate_window"].GetDouble() / 1e9)
      .take();
}

// ------------------------------------------------------------------------------------------------- outbox and inbox

namespace {

struct MemoryDatabase {
  MemoryDatabase() {
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) throw std::runtime_error("SQLite doesn't open");
  }
  ~MemoryDatabase() { sqlite3_close_v2(db); }
  sqlite3 *db = nullptr;
};

sql::Time time_of(std::string_view text) {
  std::int64_t unix_ms = 0;
  if (!parse_iso_time(text, unix_ms)) throw std::runtime_error(std::string(text) + " is no time");
  return sql::Time(std::chrono::milliseconds(unix_ms));
}

JsonDocument records_value(sqlite3 *db) {
  Output out(rapidjson::kArrayType);
  for (const auto &record : Outbox::records(db)) {
    Output row;
    row.text("id", record.id).text("event", record.event).text("subject", record.subject);
    row.text("payload", record.payload).json("headers", parsed(record.headers)).text("state", record.state);
    row.number("attempts", static_cast<double>(record.attempts));
    if (record.next_attempt_at) row.text("nextAttemptAt", *record.next_attempt_at);
    if (record.last_error) row.text("lastError", *record.last_error);
    out.push(std::move(row));
  }
  return out.take();
}

} // namespace

JsonDocument outbox(const Input &input, const CaseContext &) {
  const MemoryDatabase memory;
  Outbox::create(memory.db);
  for (const auto &record : input.at("enqueue").GetArray()) {
    check_members(record, {"event", "subject", "payload", "encodedPayload", "headers"}, "a record");
    Outbox::enqueue(memory.db, to_json(record));
  }
  Output out;
  out.json("afterEnqueue", records_value(memory.db));
  Output dispatch(rapidjson::kArrayType);
  const auto &steps = input.at("steps");
  for (rapidjson::SizeType i = 0; i < steps.Size(); ++i) {
    check_members(steps[i], {"now", "publish"}, "a step");
    const auto now = time_of(string_member(steps[i], "now"));
    const auto publish = string_member(steps[i], "publish");
    if (publish != "ok" && publish != "fails") throw std::runtime_error("unknown publish " + std::string(publish));
    const auto result = Outbox::dispatch(
        memory.db,
        [&](std::string_view prepared) -> std::optional<std::string> {
          value_of(parse_prepared_event(prepared));
          return publish == "ok" ? std::nullopt : std::optional<std::string>("publishing fails in this step");
        },
        [&] { return now; });
    dispatch.push(std::move(Output().number("dispatched", result.dispatched).number("failed", result.failed)));
    if (i == 0) out.json("afterFailure", records_value(memory.db));
  }
  out.json("dispatch", std::move(dispatch));
  out.json("afterSuccess", records_value(memory.db));
  return out.take();
}

JsonDocument inbox(const Input &input, const CaseContext &) {
  const MemoryDatabase memory;
  Inbox::create(memory.db);
  JsonDocument results(rapidjson::kArrayType);
  for (const auto &record : input.at("records").GetArray())
    results.PushBack(Inbox::accept(memory.db, record.IsString() ? text_of(record) : string_member(record, "id")),
                     results.GetAllocator());
  return Output().json("results", results).take();
}

} // namespace events

void register_events(Registry &registry) {
  auto &kinds = registry["event-wire"];
  kinds["prepare"] = {events::prepare, {.json_texts = {"payload"}}};
  kinds["publish"] = {events::publish, {}};
  kinds["ephemeral"] = {events::ephemeral, {}};
  kinds["durable"] = {events::durable, {.subset = {"firstContext"}}};
  kinds["outbox"] = {events::outbox, {.json_texts = {"payload"}}};
  kinds["inbox"] = {events::inbox, {}};
}

} // namespace trellis::vectors
