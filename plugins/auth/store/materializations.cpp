#include "contracts/authority_json.h"
#include "store/authority.h"
#include "store/columns.h"
#include "store/stored_json.h"
#include "wire/ulid.h"

namespace trellis::auth {
namespace {

Materialization read_materialization(Columns row) {
  return {.deployment_id = row.text(),
          .desired_version = row.text(),
          .status = row.text(),
          .grants = stored_grants(row.text()),
          .bindings = {},
          .reconciled_at = row.optional_integer(),
          .error = row.optional_text()};
}

StoredBinding read_binding(Columns row) {
  return {.kind = row.text(),
          .alias = row.text(),
          .binding = row.text(),
          .created_at = row.integer(),
          .updated_at = row.integer()};
}

Reconciliation read_reconciliation(Columns row) {
  return {.deployment_id = row.text(),
          .desired_version = row.text(),
          .state = row.text(),
          .started_at = row.optional_integer(),
          .finished_at = row.optional_integer(),
          .message = row.optional_text()};
}

} // namespace

std::optional<Materialization> find_materialization(Reader &db, std::string_view deployment_id) {
  auto found = first_of(db,
                        "SELECT deployment_id, desired_version, status, grants, reconciled_at, error "
                        "FROM materializations WHERE deployment_id = ?1",
                        {deployment_id}, read_materialization);
  if (found)
    found->bindings = all_of(db,
                             "SELECT kind, alias, binding, created_at, updated_at FROM resource_bindings "
                             "WHERE deployment_id = ?1 ORDER BY kind, alias",
                             {deployment_id}, read_binding);
  return found;
}

void put_materialization(Writer &db, const Materialization &materialization) {
  const auto &deployment_id = materialization.deployment_id;
  db.execute("INSERT OR REPLACE INTO materializations (deployment_id, desired_version, status, grants, "
             "reconciled_at, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
             {deployment_id, materialization.desired_version, materialization.status,
              grants_json(materialization.grants), materialization.reconciled_at, materialization.error});
  db.execute("DELETE FROM resource_bindings WHERE deployment_id = ?1", {deployment_id});
  for (const auto &binding : materialization.bindings)
    db.execute("INSERT INTO resource_bindings (deployment_id, kind, alias, binding, created_at, updated_at) "
               "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
               {deployment_id, binding.kind, binding.alias, binding.binding, binding.created_at, binding.updated_at});
}

std::optional<Reconciliation> find_reconciliation(Reader &db, std::string_view deployment_id) {
  return first_of(db,
                  "SELECT deployment_id, desired_version, state, started_at, finished_at, message "
                  "FROM reconciliation_status WHERE deployment_id = ?1",
                  {deployment_id}, read_reconciliation);
}

void put_reconciliation(Writer &db, const Reconciliation &reconciliation, std::string_view details) {
  db.execute("INSERT OR REPLACE INTO reconciliation_status (deployment_id, desired_version, state, started_at, "
             "finished_at, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
             {reconciliation.deployment_id, reconciliation.desired_version, reconciliation.state,
              reconciliation.started_at, reconciliation.finished_at, reconciliation.message});
  const UnixMs at = reconciliation.finished_at.value_or(reconciliation.started_at.value_or(0));
  const std::string event_id =
      reconciliation.deployment_id + ":" + reconciliation.state + ":" + iso_time(at) + ":" + new_ulid(); // 02 §7.1
  db.execute("INSERT INTO reconciliation_events (event_id, deployment_id, desired_version, state, message, details, "
             "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
             {event_id, reconciliation.deployment_id, reconciliation.desired_version, reconciliation.state,
              reconciliation.message, details, at});
}

} // namespace trellis::auth
