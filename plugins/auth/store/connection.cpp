#include "store/connection.h"

#include <sqlite3.h>

namespace trellis::auth {
namespace {

constexpr int kBusyTimeoutMs = 5000; // a guard against other programs' locks; ours never wait for each other

// What every connection of ours is, whatever the file's contents ask for.
void harden(sqlite3 *handle) {
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_exec(handle, "PRAGMA temp_store = MEMORY", nullptr, nullptr, nullptr); // no files outside our folder
}

} // namespace

SqlError sql_error(sqlite3 *connection) {
  const char *file = connection ? sqlite3_db_filename(connection, "main") : nullptr;
  Error error;
  error.code = "storage";
  error.where = file ? file : "";
  error.message = connection ? sqlite3_errmsg(connection) : "out of memory";
  error.details.emplace_back("sqlite",
                             std::to_string(connection ? sqlite3_extended_errcode(connection) : SQLITE_NOMEM));
  return SqlError(std::move(error));
}

Connection::Connection(const std::filesystem::path &file) {
  const std::string name = file.empty() ? ":memory:" : file.string();
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (file.empty() ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(name.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    SqlError problem = sql_error(handle_);
    sqlite3_close_v2(handle_);
    throw problem;
  }
  harden(handle_);
}

Connection::~Connection() {
  for (const auto &[sql, statement] : statements_)
    sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

sqlite3_stmt *Connection::statement(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) {
    if (sqlite3_stmt_busy(found->second)) throw storage_error(std::string(sql), "is used inside its own loop");
    return found->second;
  }
  sqlite3_stmt *statement = nullptr;
  const int size = static_cast<int>(sql.size());
  if (sqlite3_prepare_v3(handle_, sql.data(), size, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    throw sql_error(handle_);
  statements_.emplace(sql, statement);
  return statement;
}

void Connection::execute(const char *script) {
  if (sqlite3_exec(handle_, script, nullptr, nullptr, nullptr) != SQLITE_OK) throw sql_error(handle_);
}

std::int64_t Connection::pragma(const char *sql) {
  Row row(handle_, statement(sql), {});
  return row.next() ? row.integer(0) : 0;
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

std::int64_t Connection::total_changes() const {
  return sqlite3_total_changes64(handle_);
}

} // namespace trellis::auth
