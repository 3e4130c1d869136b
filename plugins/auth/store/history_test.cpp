// What only people read is deleted by age, the oldest first, so many at a time.
#include "store/authority.h"
#include "store/history.h"
#include "store/store_test.h"

using namespace trellis;
using namespace trellis::auth;

namespace {

void add_audit(TestStore &store, UnixMs first, UnixMs last) {
  store.write([&](Writer &db) {
    for (UnixMs at = first; at <= last; ++at)
      audit(db, at, "usr_1", "session.create", "key", "{}");
  });
}

std::int64_t oldest(TestStore &store, const std::string &column_of_table) {
  return store.read([&](Reader &db) {
    Row row = db.query("SELECT coalesce(min(" + column_of_table.substr(0, column_of_table.find(' ')) + "), -1) FROM " +
                       column_of_table.substr(column_of_table.find(' ') + 1));
    row.next();
    return row.integer(0);
  });
}

} // namespace

TEST_CASE("The oldest audit lines go first, as many as are asked for, and none that isn't too old") {
  TestStore store;
  add_audit(store, 1, 10);
  store.write([](Writer &db) { CHECK(delete_audit_before(db, 6, 3) == 3); });
  CHECK(oldest(store, "at audit") == 4);
  store.write([](Writer &db) { CHECK(delete_audit_before(db, 6, 3) == 2); });
  CHECK(oldest(store, "at audit") == 6);
  store.write([](Writer &db) { CHECK(delete_audit_before(db, 6, 3) == 0); });
}

TEST_CASE("Reconciliation events of all deployments go by age, and the status stays") {
  TestStore store;
  store.write([](Writer &db) {
    for (const char *deployment : {"shop", "billing"})
      for (UnixMs at = 1; at <= 5; ++at)
        put_reconciliation(db, {deployment, "01V", "succeeded", at, at, std::nullopt}, "{}");
  });
  store.write([](Writer &db) { CHECK(delete_reconciliation_events_before(db, 4, 100) == 6); });
  CHECK(oldest(store, "created_at reconciliation_events") == 4);
  CHECK(store.read([](Reader &db) { return find_reconciliation(db, "shop"); })->finished_at == 5);
}

TEST_CASE("The time beyond the newest audit lines is that of the first to go") {
  TestStore store;
  CHECK_FALSE(store.read([](Reader &db) { return audit_time_beyond(db, 0); }));
  add_audit(store, 1, 10);
  CHECK(store.read([](Reader &db) { return audit_time_beyond(db, 4); }) == 6);
  CHECK(store.read([](Reader &db) { return audit_time_beyond(db, 9); }) == 1);
  CHECK_FALSE(store.read([](Reader &db) { return audit_time_beyond(db, 10); }));
}

TEST_CASE("Old rows are found through an index") {
  TestStore store;
  const auto plan = [&](const std::string &sql) {
    return store.read([&](Reader &db) {
      Row row = db.query("EXPLAIN QUERY PLAN " + sql);
      std::string out;
      while (row.next())
        out += row.text(3) + "\n";
      return out;
    });
  };
  CHECK(plan("SELECT audit_id FROM audit WHERE at < 1 ORDER BY at, audit_id LIMIT 5").find("SEARCH audit USING") == 0);
  const auto events = plan("SELECT event_id FROM reconciliation_events WHERE created_at < 1 "
                           "ORDER BY created_at, event_id LIMIT 5");
  CHECK(events.find("SEARCH reconciliation_events USING") == 0);
  CHECK(events.find("TEMP B-TREE") == std::string::npos);
}
