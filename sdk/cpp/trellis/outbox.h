// Outbox: events that are published if, and only if, the transaction that wrote them was committed (06 §6.5).
//
//   trellis::Outbox::create(db);                                  // once: the tables
//
//   sqlite3_exec(db, "BEGIN IMMEDIATE", ...);                     // the author's own transaction
//   ... the service's own changes ...
//   trellis::Outbox::enqueue(db, service.prepare(event));
//   sqlite3_exec(db, "COMMIT", ...);
//   dispatcher.wake();                                            // or it finds the event within a second
//
//   trellis::OutboxDispatcher dispatcher(file, trellis::publish_with(service));   // from on_start to on_stop
//
// What is stored is the prepared event, so that id, time and trace headers are those of the moment that wrote it, and a
// copy that was published twice (a crash between publish and mark) is dropped by the stream. The dispatcher claims what
// is due before it publishes, so that two processes don't work on the same records. A claim is a lease: the record's
// next_attempt_at is when the claim ends, and so a record whose dispatcher was killed becomes due again by the same
// rule as one that failed. Rejected: a claim without an end, as existing stores have it, which a crash leaves for ever;
// an in-memory queue, which loses what it holds.
//
// Needs sqlite3 (link it), and RapidJSON. Everything throws std::runtime_error with SQLite's words.
#pragma once

#include "trellis/json_text.h"
#include "trellis/outbox_sql.h"
#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace trellis {

// A row of the outbox.
struct OutboxRecord {
  std::string id, event, subject, payload; // payload: JSON text, as it will be published
  std::string headers;                     // JSON object of texts
  std::string state;                       // pending | claimed | failed | dispatched
  std::int64_t attempts = 0;               // that failed
  std::string created_at, updated_at;
  std::optional<std::string> next_attempt_at, last_error;

  // What trellis_events_v1::publish_prepared takes.
  std::string prepared() const {
    std::string out = "{\"event\":";
    json::append_string(out, event);
    out += ",\"subject\":";
    json::append_string(out, subject);
    out += ",\"payload\":" + payload + ",\"encodedPayload\":";
    json::append_string(out, payload);
    return out + ",\"headers\":" + headers + "}";
  }
};

struct OutboxOptions {
  std::string table = "trellis_outbox";
  int batch = 25;
  std::chrono::milliseconds retry{1000};         // after a failure; at least 1 ms
  std::chrono::milliseconds publish_time{5000};  // the longest that one publish takes
  std::chrono::milliseconds lease{15000};        // how long a claim holds: more than publish_time
  std::chrono::milliseconds poll{1000};          // the dispatcher's look for what nobody woke it for
  std::chrono::milliseconds busy_timeout{10000}; // of the dispatcher's own connection
};

struct DispatchResult {
  int dispatched = 0, failed = 0;
  bool operator==(const DispatchResult &) const = default;
};

// Publishes one prepared event (JSON): nullopt when the stream has it, else why not.
using PublishPrepared = std::function<std::optional<std::string>(std::string_view prepared)>;

// The table, on whatever connection its caller has; as thread-safe as that is.
class Outbox {
public:
  using Time = sql::Time;

  static void create(sqlite3 *db, const OutboxOptions &options = {}) {
    const auto &table = sql::checked_name(options.table);
    sql::run(db, "CREATE TABLE IF NOT EXISTS " + table +
                     " (id TEXT PRIMARY KEY, event TEXT NOT NULL, subject TEXT NOT NULL, payload TEXT NOT NULL, "
                     "headers TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, created_at TEXT NOT NULL, "
                     "updated_at TEXT NOT NULL, next_attempt_at TEXT, last_error TEXT)");
    sql::run(db, "CREATE INDEX IF NOT EXISTS " + table + "_due_idx ON " + table + " (state, next_attempt_at)");
  }

  // Inside the caller's transaction. `prepared`: what trellis_events_v1::prepare made. False when the id is there
  // already. Throws std::invalid_argument when it is no prepared event.
  static bool enqueue(sqlite3 *db, std::string_view prepared, const OutboxOptions &options = {}, Time at = sql::now()) {
    const auto record = read_prepared(prepared);
    const auto written = sql::written(at);
    sql::Statement insert(db, "INSERT INTO " + sql::checked_name(options.table) +
                                  " (id, event, subject, payload, headers, state, attempts, created_at, updated_at) "
                                  "VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, ?) ON CONFLICT (id) DO NOTHING");
    insert.bind(record.id).bind(record.event).bind(record.subject).bind(record.payload).bind(record.headers);
    insert.bind(written).bind(written).step();
    return sqlite3_changes(db) == 1;
  }

  // Claims what is due, at most `batch`, in a transaction of its own: oldest first.
  static std::vector<OutboxRecord> claim(sqlite3 *db, Time at, const OutboxOptions &options = {}) {
    sql::Transaction transaction(db);
    const auto &table = sql::checked_name(options.table);
    const auto now = sql::written(at), until = sql::written(at + options.lease);
    std::vector<OutboxRecord> due;
    {
      sql::Statement select(db, kColumns + table +
                                    " WHERE state IN ('pending', 'failed', 'claimed') AND "
                                    "(next_attempt_at IS NULL OR next_attempt_at <= ?) ORDER BY rowid LIMIT ?");
      select.bind(now).bind(std::int64_t{options.batch});
      while (select.step())
        due.push_back(row_of(select));
    }
    for (auto &record : due) {
      record.state = "claimed";
      record.next_attempt_at = until;
      set_state(db, table, record.id, "claimed", now, until);
    }
    transaction.commit();
    return due;
  }

  // The stream has it, whoever holds the claim by now.
  static void mark_dispatched(sqlite3 *db, const OutboxRecord &record, Time at, const OutboxOptions &options = {}) {
    sql::Statement update(db, "UPDATE " + sql::checked_name(options.table) +
                                  " SET state = 'dispatched', next_attempt_at = NULL, last_error = NULL, "
                                  "updated_at = ? WHERE id = ?");
    update.bind(sql::written(at)).bind(record.id).step();
  }

  // Only while the claim is ours: another dispatcher may have published it since.
  static void mark_failed(sqlite3 *db, const OutboxRecord &record, std::string_view why, Time at,
                          const OutboxOptions &options = {}) {
    const auto next = at + std::max(options.retry, std::chrono::milliseconds(1));
    sql::Statement update(db, "UPDATE " + sql::checked_name(options.table) +
                                  " SET state = 'failed', attempts = attempts + 1, next_attempt_at = ?, "
                                  "last_error = ?, updated_at = ? WHERE id = ? AND state = 'claimed' AND "
                                  "next_attempt_at = ?");
    update.bind(sql::written(next)).bind(why).bind(sql::written(at)).bind(record.id);
    update.bind(record.next_attempt_at.value_or("")).step();
  }

  // One round: claims, publishes one after the other, marks. What the lease doesn't cover any more is given back, and
  // so is the rest once `stopping` (may be empty) says so.
  static DispatchResult dispatch(sqlite3 *db, const PublishPrepared &publish, const std::function<Time()> &clock,
                                 const OutboxOptions &options = {}, const std::function<bool()> &stopping = {}) {
    DispatchResult result;
    const auto begun = clock();
    for (const auto &record : claim(db, begun, options)) {
      if (clock() + options.publish_time > begun + options.lease || (stopping && stopping())) {
        give_back(db, record, options);
        continue;
      }
      if (const auto why = publish(record.prepared())) {
        mark_failed(db, record, *why, clock(), options);
        ++result.failed;
      } else {
        mark_dispatched(db, record, clock(), options);
        ++result.dispatched;
      }
    }
    return result;
  }

  // All rows, oldest first: for tests and for people.
  static std::vector<OutboxRecord> records(sqlite3 *db, const OutboxOptions &options = {}) {
    std::vector<OutboxRecord> out;
    sql::Statement select(db, kColumns + sql::checked_name(options.table) + " ORDER BY rowid");
    while (select.step())
      out.push_back(row_of(select));
    return out;
  }

  // Removes what was published before `before`. Keep at least the stream's duplicate window (two minutes).
  static int forget_dispatched(sqlite3 *db, Time before, const OutboxOptions &options = {}) {
    sql::Statement remove(db, "DELETE FROM " + sql::checked_name(options.table) +
                                  " WHERE state = 'dispatched' AND updated_at < ?");
    remove.bind(sql::written(before)).step();
    return sqlite3_changes(db);
  }

private:
  inline static const std::string kColumns =
      "SELECT id, event, subject, payload, headers, state, attempts, created_at, "
      "updated_at, next_attempt_at, last_error FROM ";

  static OutboxRecord row_of(const sql::Statement &row) {
    return {row.text(0),   row.text(1), row.text(2), row.text(3),         row.text(4),         row.text(5),
            row.number(6), row.text(7), row.text(8), row.text_or_null(9), row.text_or_null(10)};
  }

  static void set_state(sqlite3 *db, const std::string &table, std::string_view id, std::string_view state,
                        std::string_view now, std::string_view next) {
    sql::Statement update(db, "UPDATE " + table + " SET state = ?, updated_at = ?, next_attempt_at = ? WHERE id = ?");
    update.bind(state).bind(now).bind(next).bind(id).step();
  }

  static void give_back(sqlite3 *db, const OutboxRecord &record, const OutboxOptions &options) {
    sql::Statement update(db, "UPDATE " + sql::checked_name(options.table) +
                                  " SET state = 'pending', next_attempt_at = NULL WHERE id = ? AND "
                                  "state = 'claimed' AND next_attempt_at = ?");
    update.bind(record.id).bind(record.next_attempt_at.value_or("")).step();
  }

  static std::string text_in(const rapidjson::Value &object, const char *name) {
    const auto member = object.FindMember(name);
    if (member == object.MemberEnd() || !member->value.IsString()) return {};
    return {member->value.GetString(), member->value.GetStringLength()};
  }

  // The message id is Nats-Msg-Id, else the payload's header.id.
  static std::string id_of(const rapidjson::Value &prepared, const rapidjson::Value &headers) {
    if (auto id = text_in(headers, "Nats-Msg-Id"); !id.empty()) return id;
    const auto payload = prepared.FindMember("payload");
    if (payload == prepared.MemberEnd() || !payload->value.IsObject()) return {};
    const auto header = payload->value.FindMember("header");
    if (header == payload->value.MemberEnd() || !header->value.IsObject()) return {};
    return text_in(header->value, "id");
  }

  static OutboxRecord read_prepared(std::string_view text) {
    rapidjson::Document value;
    const auto parse = [&](std::string_view prepared) {
      value.Parse<json::kParseFlags>(prepared.data(), prepared.size());
      return !value.HasParseError();
    };
    if (const char *problem = json::read_text(text, parse)) throw std::invalid_argument(problem);
    const bool is_object = value.IsObject() && value.HasMember("headers") && value["headers"].IsObject();
    if (!is_object) throw std::invalid_argument("a prepared event is an object with headers");
    OutboxRecord record;
    record.id = id_of(value, value["headers"]);
    record.event = text_in(value, "event");
    record.subject = text_in(value, "subject");
    record.payload = text_in(value, "encodedPayload");
    if (record.id.empty() || record.event.empty() || record.subject.empty() || record.payload.empty())
      throw std::invalid_argument("a prepared event has an id, event, subject and encodedPayload");
    rapidjson::StringBuffer headers;
    rapidjson::Writer<rapidjson::StringBuffer> writer(headers);
    value["headers"].Accept(writer);
    record.headers = {headers.GetString(), headers.GetSize()};
    return record;
  }
};

// A thread that publishes what is due, on its own connection to the database file. Starts with the object and ends with
// it, after the publish that is under way. [thread-safe]
class OutboxDispatcher {
public:
  // `on_problem`, may be empty: what went wrong, from the dispatcher's thread; it goes on by itself.
  OutboxDispatcher(const std::string &file, PublishPrepared publish, OutboxOptions options = {},
                   std::function<void(std::string_view)> on_problem = {})
      : publish_(std::move(publish)), options_(std::move(options)), on_problem_(std::move(on_problem)) {
    sqlite3 *opened = nullptr;
    const int status = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    db_.reset(opened);
    if (status != SQLITE_OK) throw std::runtime_error("SQLite can't open " + file);
    sqlite3_busy_timeout(db_.get(), static_cast<int>(options_.busy_timeout.count()));
    Outbox::create(db_.get(), options_);
    thread_ = std::thread([this] { run(); });
  }
  ~OutboxDispatcher() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  OutboxDispatcher(const OutboxDispatcher &) = delete;
  OutboxDispatcher &operator=(const OutboxDispatcher &) = delete;

  // There is something new: look now.
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_all();
  }

private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      woken_ = false;
      lock.unlock();
      const bool more = round();
      lock.lock();
      if (!more) changed_.wait_for(lock, options_.poll, [this] { return stopping_ || woken_; });
    }
  }

  // True when another round is due at once.
  bool round() {
    try {
      const auto publish = [this](std::string_view prepared) {
        auto why = publish_(prepared);
        if (why) problem(*why);
        return why;
      };
      const auto result = Outbox::dispatch(db_.get(), publish, &sql::now, options_, [this] { return is_stopping(); });
      return result.dispatched >= options_.batch;
    } catch (const std::exception &error) {
      problem(error.what());
      return false;
    }
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  void problem(std::string_view what) const {
    if (on_problem_) on_problem_(what);
  }

  struct Close {
    void operator()(sqlite3 *db) const { sqlite3_close_v2(db); }
  };

  const PublishPrepared publish_;
  const OutboxOptions options_;
  const std::function<void(std::string_view)> on_problem_;
  std::unique_ptr<sqlite3, Close> db_; // of the thread alone
  std::mutex mutex_;                   // guards what follows
  std::condition_variable changed_;
  bool stopping_ = false, woken_ = false;
  std::thread thread_;
};

} // namespace trellis
