#include "store/accounts.h"

#include "contracts/encoding.h"
#include "store/columns.h"

namespace trellis::auth {
namespace {

constexpr std::string_view kUsers = "SELECT user_id, name, email, active, capabilities, groups, created_at FROM users";
constexpr std::string_view kUserById = " WHERE user_id = ?1";
constexpr std::string_view kUsersInOrder = " ORDER BY user_id";

User read_user(Columns row) {
  return {.user_id = row.text(),
          .name = row.optional_text(),
          .email = row.optional_text(),
          .active = row.flag(),
          .capabilities = row.names(),
          .groups = row.names(),
          .created_at = row.integer()};
}

constexpr std::string_view kIdentities =
    "SELECT identity_id, user_id, provider, subject, display_name, email, email_verified, linked_at, last_login_at "
    "FROM user_identities";
constexpr std::string_view kIdentityBySubject = " WHERE provider = ?1 AND subject = ?2";
constexpr std::string_view kIdentitiesOfUser = " WHERE user_id = ?1 ORDER BY identity_id";

Identity read_identity(Columns row) {
  return {.identity_id = row.text(),
          .user_id = row.text(),
          .provider = row.text(),
          .subject = row.text(),
          .display_name = row.optional_text(),
          .email = row.optional_text(),
          .email_verified = row.flag(),
          .linked_at = row.integer(),
          .last_login_at = row.optional_integer()};
}

Credential read_credential(Columns row) {
  return {.identity_id = row.text(),
          .hash = row.text(),
          .salt = row.text(),
          .version = row.number(),
          .memory_kib = row.number(),
          .iterations = row.number(),
          .parallelism = row.number(),
          .set_at = row.integer(),
          .must_change = row.flag(),
          .failed_logins = row.number(),
          .locked_until = row.optional_integer(),
          .updated_at = row.integer()};
}

AccountFlow read_flow(Columns row) {
  return {.flow_id_hash = row.text(),
          .kind = row.text(),
          .target_user_id = row.optional_text(),
          .target_identity_id = row.optional_text(),
          .target_local_username = row.optional_text(),
          .created_by = row.optional_text(),
          .allowed_providers = row.optional_names(),
          .capabilities = row.optional_names(),
          .profile_hint = row.optional_text(),
          .return_to = row.optional_text(),
          .created_at = row.integer(),
          .expires_at = row.integer(),
          .consumed_at = row.optional_integer()};
}

} // namespace

std::string identity_id_of(std::string_view provider, std::string_view subject) {
  std::string text(provider);
  text += ':';
  text += subject;
  return "idn_" + base64url(as_bytes(text));
}

std::optional<User> find_user(Reader &db, std::string_view user_id) {
  return first_of(db, joined<kUsers, kUserById>, {user_id}, read_user);
}

std::vector<User> list_users(Reader &db) {
  return all_of(db, joined<kUsers, kUsersInOrder>, {}, read_user);
}

void put_user(Writer &db, const User &user) {
  db.execute("INSERT OR REPLACE INTO users (user_id, name, email, active, capabilities, groups, created_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
             {user.user_id, user.name, user.email, user.active, names_json(user.capabilities), names_json(user.groups),
              user.created_at});
}

std::optional<Identity> find_identity(Reader &db, std::string_view provider, std::string_view subject) {
  return first_of(db, joined<kIdentities, kIdentityBySubject>, {provider, subject}, read_identity);
}

std::vector<Identity> identities_of(Reader &db, std::string_view user_id) {
  return all_of(db, joined<kIdentities, kIdentitiesOfUser>, {user_id}, read_identity);
}

// "a" + ":" + "b:c" and "a:b" + ":" + "c" are one identity id (04 §1): the second must not take over the first.
void put_identity(Writer &db, const Identity &identity) {
  const int stored = db.execute(
      "INSERT INTO user_identities (identity_id, user_id, provider, subject, display_name, email, email_verified, "
      "linked_at, last_login_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (identity_id) DO UPDATE SET "
      "user_id = excluded.user_id, display_name = excluded.display_name, email = excluded.email, "
      "email_verified = excluded.email_verified, linked_at = excluded.linked_at, "
      "last_login_at = excluded.last_login_at WHERE provider = excluded.provider AND subject = excluded.subject",
      {identity.identity_id, identity.user_id, identity.provider, identity.subject, identity.display_name,
       identity.email, identity.email_verified, identity.linked_at, identity.last_login_at});
  if (stored == 0) throw storage_error("identity " + identity.identity_id, "is another provider's or subject's");
}

std::optional<Credential> find_credential(Reader &db, std::string_view identity_id) {
  return first_of(db,
                  "SELECT identity_id, hash, salt, version, memory_kib, iterations, parallelism, set_at, must_change, "
                  "failed_logins, locked_until, updated_at FROM credentials WHERE identity_id = ?1",
                  {identity_id}, read_credential);
}

void put_credential(Writer &db, const Credential &credential) {
  db.execute("INSERT OR REPLACE INTO credentials (identity_id, hash, salt, version, memory_kib, iterations, "
             "parallelism, set_at, must_change, failed_logins, locked_until, updated_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
             {credential.identity_id, credential.hash, credential.salt, credential.version, credential.memory_kib,
              credential.iterations, credential.parallelism, credential.set_at, credential.must_change,
              credential.failed_logins, credential.locked_until, credential.updated_at});
}

std::optional<AccountFlow> find_account_flow(Reader &db, std::string_view flow_id_hash) {
  return first_of(db,
                  "SELECT flow_id_hash, kind, target_user_id, target_identity_id, target_local_username, created_by, "
                  "allowed_providers, capabilities, profile_hint, return_to, created_at, expires_at, consumed_at "
                  "FROM account_flows WHERE flow_id_hash = ?1",
                  {flow_id_hash}, read_flow);
}

void put_account_flow(Writer &db, const AccountFlow &flow) {
  db.execute("INSERT OR REPLACE INTO account_flows (flow_id_hash, kind, target_user_id, target_identity_id, "
             "target_local_username, created_by, allowed_providers, capabilities, profile_hint, return_to, "
             "created_at, expires_at, consumed_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
             {flow.flow_id_hash, flow.kind, flow.target_user_id, flow.target_identity_id, flow.target_local_username,
              flow.created_by, names_json(flow.allowed_providers), names_json(flow.capabilities), flow.profile_hint,
              flow.return_to, flow.created_at, flow.expires_at, flow.consumed_at});
}

} // namespace trellis::auth
