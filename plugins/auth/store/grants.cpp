#include "contracts/canonical.h"
#include "store/authority.h"
#include "store/columns.h"
#include "wire/ulid.h"

namespace trellis::auth {
namespace {

DeploymentCapability read_capability(Columns row) {
  return {.definition = {.key = row.text(),
                         .display_name = row.text(),
                         .description = row.text(),
                         .consequence = row.optional_text(),
                         .direction = row.text()},
          .contract_id = row.text(),
          .contract_digest = row.text(),
          .contract_display_name = row.text()};
}

CapabilityGroup read_group(Columns row) {
  return {.group_key = row.text(),
          .display_name = row.text(),
          .description = row.text(),
          .capabilities = row.names(),
          .included_groups = row.names(),
          .created_at = row.integer(),
          .updated_at = row.integer()};
}

constexpr std::string_view kOverrides = "SELECT deployment_id, contract_id, identity_kind, origin, session_public_key, "
                                        "grant_kind, capability, capability_group_key FROM grant_overrides";
constexpr std::string_view kOverridesInOrder = " ORDER BY deployment_id, override_key";
constexpr std::string_view kOverridesOfDeployment = " WHERE deployment_id = ?1 ORDER BY override_key";
GrantOverride read_override(Columns row) {
  return {.deployment_id = row.text(),
          .contract_id = row.text(),
          .identity_kind = row.text(),
          .origin = row.optional_text(),
          .session_public_key = row.optional_text(),
          .grant_kind = row.text(),
          .capability = row.optional_text(),
          .capability_group_key = row.optional_text()};
}

// All fields of 02 §14.3 as one text, null included.
std::string override_key(const GrantOverride &entry) {
  const auto text = [](const std::optional<std::string> &value) { return value ? canonical_string(*value) : "null"; };
  return canonical_array({canonical_string(entry.deployment_id), canonical_string(entry.contract_id),
                          canonical_string(entry.identity_kind), text(entry.origin), text(entry.session_public_key),
                          canonical_string(entry.grant_kind), text(entry.capability),
                          text(entry.capability_group_key)});
}

constexpr std::string_view kIdentityGrants =
    "SELECT identity_grant_id, user_id, provider, subject, anchor, answer, answered_at, updated_at, approval, "
    "publish_subjects, subscribe_subjects FROM identity_grants";
constexpr std::string_view kGrantById = " WHERE identity_grant_id = ?1";
constexpr std::string_view kGrantsOfUser = " WHERE user_id = ?1 ORDER BY identity_grant_id";
constexpr std::string_view kGrantsInOrder = " ORDER BY identity_grant_id";
IdentityGrant read_grant(Columns row) {
  return {.identity_grant_id = row.text(),
          .user_id = row.text(),
          .provider = row.text(),
          .subject = row.text(),
          .anchor = row.text(),
          .answer = row.text(),
          .answered_at = row.integer(),
          .updated_at = row.integer(),
          .approval = row.text(),
          .publish_subjects = row.names(),
          .subscribe_subjects = row.names()};
}

} // namespace

std::vector<DeploymentCapability> capabilities_of(Reader &db, std::string_view deployment_id) {
  return all_of(db,
                "SELECT key, display_name, description, consequence, direction, contract_id, contract_digest, "
                "contract_display_name FROM capability_definitions WHERE deployment_id = ?1 "
                "ORDER BY key, direction, contract_id, contract_digest",
                {deployment_id}, read_capability);
}

void replace_capabilities(Writer &db, std::string_view deployment_id, const std::vector<DeploymentCapability> &all) {
  db.execute("DELETE FROM capability_definitions WHERE deployment_id = ?1", {deployment_id});
  for (const auto &entry : all)
    db.execute("INSERT OR REPLACE INTO capability_definitions (deployment_id, key, display_name, description, "
               "consequence, direction, contract_id, contract_digest, contract_display_name) "
               "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
               {deployment_id, entry.definition.key, entry.definition.display_name, entry.definition.description,
                entry.definition.consequence, entry.definition.direction, entry.contract_id, entry.contract_digest,
                entry.contract_display_name});
}

std::vector<CapabilityGroup> list_groups(Reader &db) {
  return all_of(db,
                "SELECT group_key, display_name, description, capabilities, included_groups, created_at, updated_at "
                "FROM capability_groups ORDER BY group_key",
                {}, read_group);
}

void put_group(Writer &db, const CapabilityGroup &group) {
  db.execute("INSERT OR REPLACE INTO capability_groups (group_key, display_name, description, capabilities, "
             "included_groups, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
             {group.group_key, group.display_name, group.description, names_json(group.capabilities),
              names_json(group.included_groups), group.created_at, group.updated_at});
}

bool delete_group(Writer &db, std::string_view group_key) {
  return db.execute("DELETE FROM capability_groups WHERE group_key = ?1", {group_key}) > 0;
}

std::vector<GrantOverride> list_overrides(Reader &db) {
  return all_of(db, joined<kOverrides, kOverridesInOrder>, {}, read_override);
}

std::vector<GrantOverride> overrides_of(Reader &db, std::string_view deployment_id) {
  return all_of(db, joined<kOverrides, kOverridesOfDeployment>, {deployment_id}, read_override);
}

// Two equal rows are an error (02 §14.3).
void replace_overrides(Writer &db, std::string_view deployment_id, const std::vector<GrantOverride> &all) {
  db.execute("DELETE FROM grant_overrides WHERE deployment_id = ?1", {deployment_id});
  for (const auto &entry : all)
    db.execute("INSERT INTO grant_overrides (deployment_id, override_key, contract_id, identity_kind, origin, "
               "session_public_key, grant_kind, capability, capability_group_key) "
               "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
               {deployment_id, override_key(entry), entry.contract_id, entry.identity_kind, entry.origin,
                entry.session_public_key, entry.grant_kind, entry.capability, entry.capability_group_key});
}

std::optional<IdentityGrant> find_identity_grant(Reader &db, std::string_view identity_grant_id) {
  return first_of(db, joined<kIdentityGrants, kGrantById>, {identity_grant_id}, read_grant);
}

std::vector<IdentityGrant> identity_grants_of(Reader &db, std::string_view user_id) {
  return all_of(db, joined<kIdentityGrants, kGrantsOfUser>, {user_id}, read_grant);
}

std::vector<IdentityGrant> list_identity_grants(Reader &db) {
  return all_of(db, joined<kIdentityGrants, kGrantsInOrder>, {}, read_grant);
}

// No "OR REPLACE": a second id for the same user and anchor is an error, not a silent end of the first.
void put_identity_grant(Writer &db, const IdentityGrant &grant) {
  db.execute("INSERT INTO identity_grants (identity_grant_id, user_id, provider, subject, anchor, answer, "
             "answered_at, updated_at, approval, publish_subjects, subscribe_subjects) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (identity_grant_id) DO UPDATE SET "
             "user_id = excluded.user_id, provider = excluded.provider, subject = excluded.subject, "
             "anchor = excluded.anchor, answer = excluded.answer, answered_at = excluded.answered_at, "
             "updated_at = excluded.updated_at, approval = excluded.approval, "
             "publish_subjects = excluded.publish_subjects, subscribe_subjects = excluded.subscribe_subjects",
             {grant.identity_grant_id, grant.user_id, grant.provider, grant.subject, grant.anchor, grant.answer,
              grant.answered_at, grant.updated_at, grant.approval, names_json(grant.publish_subjects),
              names_json(grant.subscribe_subjects)});
}

bool delete_identity_grant(Writer &db, std::string_view identity_grant_id) {
  return db.execute("DELETE FROM identity_grants WHERE identity_grant_id = ?1", {identity_grant_id}) > 0;
}

void audit(Writer &db, UnixMs now, std::string_view actor, std::string_view action, std::string_view subject,
           std::string_view details) {
  db.execute("INSERT INTO audit (audit_id, at, actor, action, subject, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
             {new_ulid(), now, actor, action, subject, details});
}

} // namespace trellis::auth
