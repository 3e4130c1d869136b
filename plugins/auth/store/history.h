// Rows that nothing is decided by, only people read them: audit lines and reconciliation events. They are deleted some
// time, the oldest first and a few at once, so that no change of anybody waits behind a big deletion.
#pragma once

#include "store/accounts.h"
#include <cstddef>
#include <optional>

namespace trellis::auth {

// At most `limit` rows that are older than `before`; how many they were. When there are fewer left, none is older.
int delete_audit_before(Writer &db, UnixMs before, std::size_t limit);
int delete_reconciliation_events_before(Writer &db, UnixMs before, std::size_t limit);

// The time of the newest audit line beyond the newest `kept`: deleting what is before it, and it, leaves about `kept`.
// nullopt: there are no more. Reads as many entries of an index as are kept: not for a writer.
std::optional<UnixMs> audit_time_beyond(Reader &db, std::size_t kept);

} // namespace trellis::auth
