#include "store/desired_state.h"

#include "contracts/authority_plan.h"
#include "store/stored_json.h"

namespace trellis::auth {
namespace {

void read_contracts(Reader &db, std::string_view deployment_id, DesiredState &out) {
  Row row = db.query("SELECT contract_id, required FROM authority_contracts WHERE deployment_id = ?1 "
                     "ORDER BY contract_id",
                     {deployment_id});
  while (row.next())
    out.needs.contracts.push_back({.contract_id = row.text(0), .required = row.flag(1)});
}

void read_surfaces(Reader &db, std::string_view deployment_id, DesiredState &out) {
  Row row = db.query("SELECT contract_id, kind, name, action, source, required FROM authority_surfaces "
                     "WHERE deployment_id = ?1 ORDER BY contract_id, kind, name, action",
                     {deployment_id});
  while (row.next()) {
    Surface surface{.contract_id = row.text(0),
                    .kind = stored_surface_kind(row.text(1)),
                    .name = row.text(2),
                    .action = stored_surface_action(row.text(3))};
    if (row.text(4) == "need")
      out.needs.surfaces.push_back({.surface = std::move(surface), .required = row.flag(5)});
    else
      out.surfaces.push_back(std::move(surface));
  }
}

void read_resources(Reader &db, std::string_view deployment_id, DesiredState &out) {
  Row row = db.query("SELECT kind, alias, required, definition FROM authority_resources WHERE deployment_id = ?1 "
                     "ORDER BY kind, alias",
                     {deployment_id});
  while (row.next())
    out.resources.push_back({.kind = stored_resource_kind(row.text(0)),
                             .alias = row.text(1),
                             .required = row.flag(2),
                             .definition = row.text(3)});
  out.needs.resources = out.resources;
}

void read_capabilities(Reader &db, std::string_view deployment_id, DesiredState &out) {
  Row row = db.query("SELECT capability, source, required FROM authority_capabilities WHERE deployment_id = ?1 "
                     "ORDER BY capability, source",
                     {deployment_id});
  while (row.next()) {
    if (row.text(1) == "need")
      out.needs.capabilities.push_back({.capability = row.text(0), .required = row.flag(2)});
    else
      out.capabilities.push_back(row.text(0));
  }
}

void clear(Writer &db, std::string_view deployment_id) {
  db.execute("DELETE FROM authority_contracts WHERE deployment_id = ?1", {deployment_id});
  db.execute("DELETE FROM authority_surfaces WHERE deployment_id = ?1", {deployment_id});
  db.execute("DELETE FROM authority_resources WHERE deployment_id = ?1", {deployment_id});
  db.execute("DELETE FROM authority_capabilities WHERE deployment_id = ?1", {deployment_id});
}

void add_contract(Writer &db, std::string_view deployment_id, const ContractNeed &need) {
  db.execute("INSERT INTO authority_contracts (deployment_id, contract_id, required) VALUES (?1, ?2, ?3)",
             {deployment_id, need.contract_id, need.required});
}

void add_surface(Writer &db, std::string_view deployment_id, const Surface &surface, const char *source,
                 bool required) {
  db.execute("INSERT INTO authority_surfaces (deployment_id, contract_id, kind, name, action, source, required) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
             {deployment_id, surface.contract_id, surface_kind_name(surface.kind), surface.name,
              surface_action_name(surface.action), source, required});
}

void add_resource(Writer &db, std::string_view deployment_id, const ResourceNeed &resource) {
  db.execute(
      "INSERT INTO authority_resources (deployment_id, kind, alias, required, definition) "
      "VALUES (?1, ?2, ?3, ?4, ?5)",
      {deployment_id, resource_kind_name(resource.kind), resource.alias, resource.required, resource.definition});
}

void add_capability(Writer &db, std::string_view deployment_id, std::string_view capability, const char *source,
                    bool required) {
  db.execute("INSERT INTO authority_capabilities (deployment_id, capability, source, required) "
             "VALUES (?1, ?2, ?3, ?4)",
             {deployment_id, capability, source, required});
}

} // namespace

DesiredState read_desired_state(Reader &db, std::string_view deployment_id) {
  DesiredState out;
  read_contracts(db, deployment_id, out);
  read_surfaces(db, deployment_id, out);
  read_resources(db, deployment_id, out);
  read_capabilities(db, deployment_id, out);
  return out;
}

void replace_desired_state(Writer &db, std::string_view deployment_id, const DesiredState &desired) {
  const DesiredState kept = folded(desired); // no key twice
  clear(db, deployment_id);
  for (const auto &need : kept.needs.contracts)
    add_contract(db, deployment_id, need);
  for (const auto &need : kept.needs.surfaces)
    add_surface(db, deployment_id, need.surface, "need", need.required);
  for (const auto &surface : kept.surfaces)
    add_surface(db, deployment_id, surface, "surface", true);
  for (const auto &resource : kept.resources)
    add_resource(db, deployment_id, resource);
  for (const auto &need : kept.needs.capabilities)
    add_capability(db, deployment_id, need.capability, "need", need.required);
  for (const auto &capability : kept.capabilities)
    add_capability(db, deployment_id, capability, "capability", true);
}

} // namespace trellis::auth
