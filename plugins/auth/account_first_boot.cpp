// The first administrator (04 §14).
#include "account_flow.h"

#include "contracts/json_write.h"
#include "principals.h"
#include "store/authority.h"
#include "wire/ulid.h"
#include <algorithm>

namespace trellis::auth {
namespace {

constexpr char kAdmin[] = "admin"; // user name, group and capability

bool is_admin(Reader &db, const User &user) {
  const auto held = resolved_capabilities(db, user);
  return user.active && std::find(held.begin(), held.end(), kAdmin) != held.end();
}

// Step 1: is there anybody who can sign in as an administrator?
bool is_needed(Reader &db) {
  if (const auto identity = find_identity(db, "local", kAdmin)) {
    const auto user = find_user(db, identity->user_id);
    if (user && is_admin(db, *user) && !find_credential(db, identity->identity_id)) return true;
  }
  const auto users = list_users(db);
  return std::none_of(users.begin(), users.end(), [&](const User &user) { return is_admin(db, user); });
}

// Step 2.
Identity ensure_account(Writer &db, UnixMs now) {
  auto identity = find_identity(db, "local", kAdmin);
  auto user = identity ? find_user(db, identity->user_id) : std::nullopt;
  if (!user) {
    user.emplace();
    user->user_id = "usr_" + new_ulid();
    user->name = kAdmin;
    user->created_at = now;
  }
  user->active = true;
  if (std::find(user->groups.begin(), user->groups.end(), kAdmin) == user->groups.end()) user->groups.push_back(kAdmin);
  put_user(db, *user);
  if (identity && identity->user_id == user->user_id) return *identity;
  identity.emplace();
  identity->identity_id = identity_id_of("local", kAdmin);
  identity->user_id = user->user_id;
  identity->provider = "local";
  identity->subject = kAdmin;
  identity->linked_at = now;
  put_identity(db, *identity);
  return *identity;
}

} // namespace

Result<std::optional<FirstBoot>> ensure_administrator(Core &core) {
  return core.db.write<std::optional<FirstBoot>>([&](Writer &db) -> Result<std::optional<FirstBoot>> {
    if (!is_needed(db)) return std::nullopt;
    const auto now = core.now();
    const auto identity = ensure_account(db, now);
    FirstBoot out;
    out.flow_id = new_password_reset(out.flow, identity, now, kAccountFlowMs);
    put_account_flow(db, out.flow);
    audit(db, now, "system", "account.first-boot", identity.user_id,
          JsonObjectText().text("flowIdHash", out.flow.flow_id_hash).str());
    return out;
  });
}

} // namespace trellis::auth
