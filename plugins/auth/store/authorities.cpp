#include "store/authority.h"
#include "store/columns.h"
#include "store/desired_state.h"

namespace trellis::auth {
namespace {

constexpr std::string_view kAuthorities =
    "SELECT deployment_id, kind, disabled, version, created_at, updated_at FROM authorities";
constexpr std::string_view kById = " WHERE deployment_id = ?1";
constexpr std::string_view kInOrder = " ORDER BY deployment_id";

Authority read_authority(Columns row) {
  return {.deployment_id = row.text(),
          .kind = row.text(),
          .disabled = row.flag(),
          .version = row.text(),
          .desired = {},
          .created_at = row.integer(),
          .updated_at = row.integer()};
}

} // namespace

std::optional<Authority> find_authority(Reader &db, std::string_view deployment_id) {
  auto authority = first_of(db, joined<kAuthorities, kById>, {deployment_id}, read_authority);
  if (authority) authority->desired = read_desired_state(db, deployment_id);
  return authority;
}

std::vector<Authority> list_authorities(Reader &db) {
  auto authorities = all_of(db, joined<kAuthorities, kInOrder>, {}, read_authority);
  for (auto &authority : authorities)
    authority.desired = read_desired_state(db, authority.deployment_id);
  return authorities;
}

void put_authority(Writer &db, const Authority &authority) {
  db.execute("INSERT OR REPLACE INTO authorities (deployment_id, kind, disabled, version, created_at, updated_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
             {authority.deployment_id, authority.kind, authority.disabled, authority.version, authority.created_at,
              authority.updated_at});
  replace_desired_state(db, authority.deployment_id, authority.desired);
}

} // namespace trellis::auth
