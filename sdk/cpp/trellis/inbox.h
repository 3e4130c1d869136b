// Inbox: effects that happen once although an event may be delivered twice (06 §6.5).
//
//   service.on_event<Placed>("ledger", [](const Order &order, trellis::Event &event) {
//     trellis::sql::Transaction transaction(db);
//     if (!trellis::Inbox::accept(db, event.id())) return;     // seen before: done, and acknowledged
//     ... the service's own changes ...
//     transaction.commit();
//   });
//
// The id goes into the same transaction as the effects: both or neither. Needs sqlite3 (link it).
#pragma once

#include "trellis/outbox_sql.h"

namespace trellis {

struct Inbox {
  static void create(sqlite3 *db, const std::string &table = kTable) {
    sql::run(db, "CREATE TABLE IF NOT EXISTS " + sql::checked_name(table) +
                     " (message_id TEXT PRIMARY KEY, received_at TEXT NOT NULL)");
  }

  // Inside the caller's transaction: true the first time that `message_id` (the event's header.id) comes. Throws
  // std::invalid_argument for an event without id, which can't be told from another.
  static bool accept(sqlite3 *db, std::string_view message_id, const std::string &table = kTable,
                     sql::Time at = sql::now()) {
    if (message_id.empty()) throw std::invalid_argument("an event without id can't be remembered");
    sql::Statement insert(db, "INSERT INTO " + sql::checked_name(table) +
                                  " (message_id, received_at) VALUES (?, ?) ON CONFLICT (message_id) DO NOTHING");
    insert.bind(message_id).bind(sql::written(at)).step();
    return sqlite3_changes(db) == 1;
  }

  // Removes what came before `before`. Keep them longer than the group's deliveries can take (its backoff, added up).
  static int forget(sqlite3 *db, sql::Time before, const std::string &table = kTable) {
    sql::Statement remove(db, "DELETE FROM " + sql::checked_name(table) + " WHERE received_at < ?");
    remove.bind(sql::written(before)).step();
    return sqlite3_changes(db);
  }

  inline static const std::string kTable = "trellis_inbox";
};

} // namespace trellis
