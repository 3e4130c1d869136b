#include "store/sql.h"

#include "store/connection.h"
#include <sqlite3.h>

namespace trellis::auth {

SqlError::SqlError(Error error) : std::runtime_error(error.text()), error_(std::move(error)) {}

SqlError storage_error(std::string where, std::string message) {
  return SqlError(fail("storage", std::move(where), std::move(message)).value());
}

Row::Row(sqlite3 *connection, sqlite3_stmt *statement, SqlValues values)
    : connection_(connection), statement_(statement) {
  if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement_)) != values.size())
    throw storage_error(sqlite3_sql(statement_), "has another number of values");
  int position = 0;
  for (const SqlValue &value : values) {
    ++position;
    int status = SQLITE_OK;
    if (const auto *text = std::get_if<std::string_view>(&value.value_)) // a null pointer would bind NULL
      status = sqlite3_bind_text64(statement_, position, text->data() ? text->data() : "", text->size(),
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    else if (const auto *number = std::get_if<std::int64_t>(&value.value_))
      status = sqlite3_bind_int64(statement_, position, *number);
    if (status != SQLITE_OK) {
      sqlite3_clear_bindings(statement_);
      throw sql_error(connection_);
    }
  }
}

Row::~Row() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_); // also lets go of large texts
}

bool Row::next() {
  switch (sqlite3_step(statement_)) {
  case SQLITE_ROW: return true;
  case SQLITE_DONE: return false;
  default: throw sql_error(connection_);
  }
}

bool Row::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Row::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Row::text(int column) const {
  const auto *data = reinterpret_cast<const char *>(sqlite3_column_text(statement_, column));
  if (!data) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::string> Row::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

std::optional<std::int64_t> Row::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reader::~Reader() = default;

Row Reader::query(std::string_view sql, SqlValues values) {
  Connection &connection = *state_->connection;
  return Row(connection.handle(), connection.statement(sql), values);
}

int Writer::execute(std::string_view sql, SqlValues values) {
  Row row = query(sql, values);
  while (row.next()) {
  }
  return sqlite3_changes(state_->connection->handle());
}

} // namespace trellis::auth
