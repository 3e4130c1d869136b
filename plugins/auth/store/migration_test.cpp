#include "store/migration.h"

#include "store/schema.h"
#include "support/temp_dir.h"
#include <array>
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::auth;

namespace {

// A database file before its first migration.
class EmptyFile {
public:
  EmptyFile() { test::write_file(path(), ""); }
  std::filesystem::path path() const { return dir_ / "trellis.db"; }

private:
  test::TempDir dir_;
};

constexpr const char *kOne = "CREATE TABLE things (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;";
constexpr const char *kTwo = "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"
                             "CREATE INDEX things_by_size ON things (size);";
constexpr const char *kBroken = "CREATE TABLE more (x) STRICT; INSERT INTO nothing VALUES (1);";
constexpr std::array<const char *, 1> kOld = {kOne};
constexpr std::array<const char *, 2> kNew = {kOne, kTwo};
constexpr std::array<const char *, 2> kWrong = {kOne, kBroken};

std::int64_t number(Connection &connection, const char *sql) {
  return connection.pragma(sql);
}

} // namespace

TEST_CASE("Each migration is applied once, in order, and keeps the rows") {
  const EmptyFile file;
  Connection connection(file.path());
  REQUIRE(migrate(connection, kOld));
  CHECK(number(connection, "PRAGMA user_version") == 1);
  CHECK(number(connection, "PRAGMA application_id") == kApplicationId);
  connection.execute("INSERT INTO things VALUES ('a')");
  REQUIRE(migrate(connection, kNew));
  REQUIRE(migrate(connection, kNew));
  CHECK(number(connection, "PRAGMA user_version") == 2);
  CHECK(number(connection, "SELECT size FROM things") == 7);
}

TEST_CASE("A migration that fails leaves the version before it") {
  const EmptyFile file;
  Connection connection(file.path());
  REQUIRE(migrate(connection, kOld));
  CHECK_THROWS_AS(migrate(connection, kWrong), SqlError);
  CHECK(number(connection, "PRAGMA user_version") == 1);
  CHECK(number(connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'") == 0);
  CHECK(migrate(connection, kNew));
}

TEST_CASE("An older program refuses what a newer one has migrated") {
  const EmptyFile file;
  Connection connection(file.path());
  REQUIRE(migrate(connection, kNew));
  const auto refused = check_version(connection, kOld);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "database_newer");
  CHECK(refused.error().where == file.path().string());
}

TEST_CASE("The migrations make every table of the protocol's storage chapter") {
  const EmptyFile file;
  Connection connection(file.path());
  REQUIRE(migrate(connection, migrations()));
  CHECK(number(connection, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'") == 28);
  // No rowid magic, no clock: nothing but the rows themselves decides what a row is (ARCHITECTURE §7).
  CHECK(number(connection, "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%' OR "
                           "sql LIKE '%CURRENT_%' OR sql LIKE '%DEFAULT%' OR sql LIKE '%random%'") == 0);
  CHECK(number(connection, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%'") == 0);
}
