// Accounts: users, their identities, password credentials and account flows (02 §16, 04 §13, §19).
#pragma once

#include "store/sql.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trellis::auth {

using UnixMs = std::int64_t;
using Names = std::vector<std::string>;

struct User {
  std::string user_id; // "usr_" + ULID
  std::optional<std::string> name, email;
  bool active = true;
  Names capabilities, groups; // direct
  UnixMs created_at = 0;
  bool operator==(const User &) const = default;
};

struct Identity {
  std::string identity_id; // identity_id_of(provider, subject)
  std::string user_id, provider, subject;
  std::optional<std::string> display_name, email;
  bool email_verified = false;
  UnixMs linked_at = 0;
  std::optional<UnixMs> last_login_at;
  bool operator==(const Identity &) const = default;
};

// 04 §19.
struct Credential {
  std::string identity_id;
  std::string hash, salt; // base64url
  int version = 1;
  int memory_kib = 19456, iterations = 2, parallelism = 1;
  UnixMs set_at = 0;
  bool must_change = false;
  int failed_logins = 0;
  std::optional<UnixMs> locked_until;
  UnixMs updated_at = 0;
  bool operator==(const Credential &) const = default;
};

// 04 §13. The flow id itself is a bearer secret and is never stored.
struct AccountFlow {
  std::string flow_id_hash;
  std::string kind; // "admin_bootstrap" | "identity_link" | "local_password_reset"
  std::optional<std::string> target_user_id, target_identity_id, target_local_username, created_by;
  std::optional<Names> allowed_providers, capabilities; // nullopt: all / none given
  std::optional<std::string> profile_hint;              // JSON object
  std::optional<std::string> return_to;
  UnixMs created_at = 0, expires_at = 0;
  std::optional<UnixMs> consumed_at;
  bool operator==(const AccountFlow &) const = default;
};

std::string identity_id_of(std::string_view provider, std::string_view subject); // 04 §1

std::optional<User> find_user(Reader &db, std::string_view user_id);
std::vector<User> list_users(Reader &db); // by user_id
void put_user(Writer &db, const User &user);

std::optional<Identity> find_identity(Reader &db, std::string_view provider, std::string_view subject);
std::vector<Identity> identities_of(Reader &db, std::string_view user_id); // by identity_id
void put_identity(Writer &db, const Identity &identity);

std::optional<Credential> find_credential(Reader &db, std::string_view identity_id);
void put_credential(Writer &db, const Credential &credential);

std::optional<AccountFlow> find_account_flow(Reader &db, std::string_view flow_id_hash);
void put_account_flow(Writer &db, const AccountFlow &flow);

} // namespace trellis::auth
