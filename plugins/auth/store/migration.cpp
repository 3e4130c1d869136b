#include "store/migration.h"

#include "store/crash_point.h"
#include "store/schema.h"
#include <set>
#include <sqlite3.h>

namespace trellis::auth {
namespace {

std::string file_of(const Connection &connection) {
  return sqlite3_db_filename(connection.handle(), "main");
}

std::size_t version_of(Connection &connection) {
  return static_cast<std::size_t>(connection.pragma("PRAGMA user_version"));
}

// Takes back whatever a failure left open.
class Transaction {
public:
  explicit Transaction(Connection &connection) : connection_(connection) { connection_.execute("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (connection_.in_transaction()) sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction &) = delete;
  Transaction &operator=(const Transaction &) = delete;
  void commit() { connection_.execute("COMMIT"); }

private:
  Connection &connection_;
};

void apply(Connection &connection, std::span<const char *const> steps, std::size_t index) {
  Transaction transaction(connection);
  if (version_of(connection) != index) return; // another process was quicker
  connection.execute(steps[index]);
  if (index == 0) connection.execute(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
  connection.execute(("PRAGMA user_version = " + std::to_string(index + 1)).c_str());
  crash_point();
  transaction.commit();
  crash_point();
}

// Each table and index with its definition, named for a message.
using Schema = std::set<std::pair<std::string, std::string>>;
Schema schema_of(Connection &connection) {
  Schema out;
  Row row(connection.handle(), connection.statement("SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema"),
          {});
  while (row.next())
    out.emplace(row.text(0), row.text(1));
  return out;
}

Result<void> check_schema(Connection &connection, std::span<const char *const> steps) {
  Connection fresh("");
  for (const char *step : steps)
    fresh.execute(step);
  const Schema found = schema_of(connection);
  for (const auto &expected : schema_of(fresh))
    if (!found.contains(expected))
      return fail("database_corrupt", file_of(connection),
                  "lacks the " + expected.first + ", or has another form of it",
                  "what version " + std::to_string(steps.size()) + " of the schema defines");
  return {};
}

} // namespace

Result<void> check_version(Connection &connection, std::span<const char *const> steps) {
  const std::size_t version = version_of(connection);
  if (version == 0) {
    if (connection.pragma("SELECT count(*) FROM sqlite_schema") == 0) return {};
    return fail("database_corrupt", file_of(connection), "holds tables of another program",
                "a database of this control plane, or no file");
  }
  if (connection.pragma("PRAGMA application_id") != kApplicationId)
    return fail("database_corrupt", file_of(connection), "belongs to another program",
                "a database of this control plane, or no file");
  if (version > steps.size())
    return fail("database_newer", file_of(connection),
                "was written by a newer version of this program (schema " + std::to_string(version) + ")",
                "schema " + std::to_string(steps.size()) + " or older");
  return {};
}

Result<void> migrate(Connection &connection, std::span<const char *const> steps) {
  for (std::size_t index = version_of(connection); index < steps.size(); ++index)
    apply(connection, steps, index);
  return check_schema(connection, steps);
}

} // namespace trellis::auth
