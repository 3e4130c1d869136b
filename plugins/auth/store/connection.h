// One SQLite connection with its prepared statements, and what a Reader holds.
//
// Used by one thread at a time: whoever passes it on (reader_pool.h) does so under a mutex, so that SQLite needs none
// of its own.
#pragma once

#include "store/sql.h"
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace trellis::auth {

class Connection {
public:
  // "" opens a database in memory. Throws SqlError.
  explicit Connection(const std::filesystem::path &file);
  ~Connection();
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  sqlite3 *handle() const { return handle_; }
  // Kept until the connection ends. Throws SqlError, also when the statement is in use.
  sqlite3_stmt *statement(std::string_view sql);
  void execute(const char *script); // several statements; throws SqlError
  std::int64_t pragma(const char *sql);
  bool in_transaction() const;
  std::int64_t total_changes() const; // rows, rolled back ones included

private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  sqlite3 *handle_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt *, Hash, std::equal_to<>> statements_;
};

// The error that the connection's last call left.
SqlError sql_error(sqlite3 *connection);

struct Reader::State {
  std::unique_ptr<Connection> connection;
};

class ConnectedReader : public Reader {
public:
  explicit ConnectedReader(std::unique_ptr<Connection> connection)
      : Reader(std::make_unique<State>(State{std::move(connection)})) {}
};

class ConnectedWriter : public Writer {
public:
  explicit ConnectedWriter(std::unique_ptr<Connection> connection)
      : Writer(std::make_unique<State>(State{std::move(connection)})) {}
  Connection &connection() const { return *state_->connection; }
};

} // namespace trellis::auth
