// Brings a database file to this program's schema, or says why not.
//
// A newer file is left as it is, to the byte: the program that wrote it may rely on what we don't know. An equal one is
// compared with the schema that the migrations make, because a file that lost a table would otherwise fail much later,
// in the middle of a login.
#pragma once

#include "contracts/result.h"
#include "store/connection.h"
#include <span>

namespace trellis::auth {

// Errors "database_newer", "database_corrupt", "database_unreadable"; throws SqlError for SQLite's own. `steps`: the
// migrations to know, for tests of upgrades.
Result<void> check_version(Connection &connection, std::span<const char *const> steps);
Result<void> migrate(Connection &connection, std::span<const char *const> steps);

} // namespace trellis::auth
