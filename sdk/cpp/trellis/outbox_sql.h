// The little of SQLite that outbox.h and inbox.h need. The plugin links sqlite3 itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <sqlite3.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace trellis::sql {

// One statement, finalized with the object. Throws std::runtime_error with SQLite's words.
class Statement {
public:
  Statement(sqlite3 *db, const std::string &text) : db_(db) {
    if (sqlite3_prepare_v2(db, text.c_str(), static_cast<int>(text.size()) + 1, &statement_, nullptr) != SQLITE_OK)
      fail();
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement &) = delete;
  Statement &operator=(const Statement &) = delete;

  Statement &bind(std::string_view text) {
    check(sqlite3_bind_text(statement_, ++bound_, text.data() ? text.data() : "", static_cast<int>(text.size()),
                            SQLITE_TRANSIENT));
    return *this;
  }
  Statement &bind(std::int64_t number) {
    check(sqlite3_bind_int64(statement_, ++bound_, number));
    return *this;
  }

  // True while there is a row.
  bool step() {
    const int status = sqlite3_step(statement_);
    if (status != SQLITE_ROW && status != SQLITE_DONE) fail();
    return status == SQLITE_ROW;
  }

  std::string text(int column) const {
    const auto *data = sqlite3_column_text(statement_, column);
    if (!data) return {};
    return {reinterpret_cast<const char *>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  std::optional<std::string> text_or_null(int column) const {
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
    return text(column);
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

private:
  void check(int status) const {
    if (status != SQLITE_OK) fail();
  }
  [[noreturn]] void fail() const { throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(db_)); }

  sqlite3 *db_;
  sqlite3_stmt *statement_ = nullptr;
  int bound_ = 0;
};

inline void run(sqlite3 *db, const std::string &text) {
  Statement(db, text).step();
}

// A transaction that writes; rolled back unless committed.
class Transaction {
public:
  explicit Transaction(sqlite3 *db) : db_(db) { run(db, "BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (db_) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction &) = delete;
  Transaction &operator=(const Transaction &) = delete;

  void commit() {
    run(db_, "COMMIT");
    db_ = nullptr;
  }

private:
  sqlite3 *db_;
};

// Table names come from code, not from people; still, nothing else may become part of a statement.
inline const std::string &checked_name(const std::string &name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  if (name.empty() || name.find_first_not_of(kLetters) != std::string::npos)
    throw std::invalid_argument("\"" + name + "\" is no table name: letters, digits and _");
  return name;
}

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

inline Time now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// YYYY-MM-DDTHH:mm:ss.sssZ: as text in the order of time, and as existing libraries write it.
inline std::string written(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t unix_seconds = seconds.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&unix_seconds, &parts);
  char day[32], fraction[8];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>((time - seconds).count()));
  return std::string(day) + fraction;
}

} // namespace trellis::sql
