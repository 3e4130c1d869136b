// SQLite with values: prepared statements that are kept, bound by position and read by column.
//
//   for (auto row = reader.query("SELECT name FROM users WHERE active = ?1", {true}); row.next();) use(row.text(0));
//
// SQL text is always a literal; values are always bound. Failures throw SqlError, which Database turns into a Result at
// its edge: a Result at each column would bury the queries.
#pragma once

#include "contracts/result.h"
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace trellis::auth {

class SqlError : public std::runtime_error {
public:
  explicit SqlError(Error error);
  const Error &error() const { return error_; } // code "storage"

private:
  Error error_;
};

// A failure of the store: code "storage". `where`: what was being done or is unreadable.
SqlError storage_error(std::string where, std::string message);

// nullptr, bool and integers, text (copied when it is bound). No default conversion from const char* to bool.
class SqlValue {
public:
  SqlValue(std::nullptr_t) {}
  SqlValue(bool value) : value_(std::int64_t{value}) {}
  SqlValue(int value) : value_(std::int64_t{value}) {}
  SqlValue(std::int64_t value) : value_(value) {}
  SqlValue(std::string_view value) : value_(value) {}
  SqlValue(const std::string &value) : value_(std::string_view(value)) {}
  SqlValue(const char *value) : value_(std::string_view(value)) {}
  template <class T>
  SqlValue(const std::optional<T> &value) {
    if (value) *this = SqlValue(*value);
  }

private:
  friend class Row;
  std::variant<std::monostate, std::int64_t, std::string_view> value_;
};
using SqlValues = std::initializer_list<SqlValue>;

// The rows of one query. Ends its statement's use when destroyed.
class Row {
public:
  Row(sqlite3 *connection, sqlite3_stmt *statement, SqlValues values);
  ~Row();
  Row(const Row &) = delete;
  Row &operator=(const Row &) = delete;

  bool next(); // false after the last
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  bool flag(int column) const { return integer(column) != 0; }
  std::string text(int column) const; // "" for NULL
  std::optional<std::string> optional_text(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;

private:
  sqlite3 *connection_;
  sqlite3_stmt *statement_;
};

class Reader {
public:
  virtual ~Reader();
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  // Nesting the same SQL text inside its own loop is a bug (one statement object a text).
  Row query(std::string_view sql, SqlValues values = {});

protected:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  friend class Database;
};

class Writer : public Reader {
public:
  // Number of changed rows.
  int execute(std::string_view sql, SqlValues values = {});

private:
  using Reader::Reader;
  friend class Database;
};

} // namespace trellis::auth
