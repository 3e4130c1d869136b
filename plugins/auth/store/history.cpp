#include "store/history.h"

namespace trellis::auth {

int delete_audit_before(Writer &db, UnixMs before, std::size_t limit) {
  return db.execute("DELETE FROM audit WHERE audit_id IN "
                    "(SELECT audit_id FROM audit WHERE at < ?1 ORDER BY at, audit_id LIMIT ?2)",
                    {before, static_cast<std::int64_t>(limit)});
}

int delete_reconciliation_events_before(Writer &db, UnixMs before, std::size_t limit) {
  return db.execute("DELETE FROM reconciliation_events WHERE event_id IN "
                    "(SELECT event_id FROM reconciliation_events WHERE created_at < ?1 "
                    "ORDER BY created_at, event_id LIMIT ?2)",
                    {before, static_cast<std::int64_t>(limit)});
}

std::optional<UnixMs> audit_time_beyond(Reader &db, std::size_t kept) {
  Row row = db.query("SELECT at FROM audit ORDER BY at DESC, audit_id DESC LIMIT 1 OFFSET ?1",
                     {static_cast<std::int64_t>(kept)});
  if (!row.next()) return std::nullopt;
  return row.integer(0);
}

} // namespace trellis::auth
