#include "store/reserved_resources.h"
#include "store/columns.h"

namespace trellis::auth {

std::vector<StoredBinding> reserved_resources(Reader &db, std::string_view deployment_id) {
  return all_of(db,
                "SELECT kind, alias, binding, reserved_at FROM reserved_resources WHERE deployment_id = ?1 "
                "ORDER BY kind, alias",
                {deployment_id}, [](Columns row) {
                  StoredBinding out{.kind = row.text(), .alias = row.text(), .binding = row.text()};
                  out.created_at = out.updated_at = row.integer();
                  return out;
                });
}

void reserve_resource(Writer &db, std::string_view deployment_id, const StoredBinding &binding) {
  db.execute("INSERT OR REPLACE INTO reserved_resources (deployment_id, kind, alias, binding, reserved_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5)",
             {deployment_id, binding.kind, binding.alias, binding.binding, binding.created_at});
}

void drop_reserved_resources(Writer &db, std::string_view deployment_id) {
  db.execute("DELETE FROM reserved_resources WHERE deployment_id = ?1", {deployment_id});
}

} // namespace trellis::auth
