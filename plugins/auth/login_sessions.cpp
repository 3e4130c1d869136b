#include "login_sessions.h"

#include "catalog.h"
#include "session_ends.h"
#include "wire/session_key.h"
#include "wire/ulid.h"

namespace trellis::auth {
namespace {

// What a login knows about the person goes into the account; what an administrator decides about it stays (04 §10.5).
void refresh_account(Writer &db, const PendingLogin &login) {
  auto user = find_user(db, login.user_id);
  if (!user) return;
  user->name = login.name_or_subject();
  user->email = login.email_or_identity();
  put_user(db, *user);
}

} // namespace

Result<std::optional<Session>> live_session(Core &core, std::string_view session_key) {
  auto found = core.db.read([&](Reader &db) { return find_session(db, session_key, core.sessions_expired_before()); });
  if (!found) return tl::make_unexpected(found.error());
  if (!*found && found->error().code == "session_corrupted") return std::nullopt;
  return std::move(*found);
}

RouteResult store_session(HttpContext &context, std::string_view session_key, UserSession fresh,
                          const Manifest &contract, const PendingLogin *login) {
  auto &core = context.core;
  const auto now = core.now();
  const auto prepared = core.db.write([&](Writer &db) -> Result<void> {
    core.catalog.store(db, contract, now);
    if (login) refresh_account(db, *login);
    audit(db, now, fresh.user_id, "session.bind", session_key,
          JsonObjectText().text("contractId", fresh.contract_id).text("contractDigest", fresh.contract_digest).str());
    return {};
  });
  Session session;
  session.session_key = session_key;
  session.last_auth = now;
  session.of = std::move(fresh);
  const auto stored = prepared ? bind_session(core, context.connections, std::move(session))
                               : Result<BindResult>(tl::make_unexpected(prepared.error()));
  if (!stored) {
    core.log(Level::error, "A session could not be stored",
             JsonObjectText().text("error", stored.error().text()).str());
    return text_reply(500, "Failed to create session");
  }
  const auto expires = now + static_cast<UnixMs>(core.config.ttl_ms.sessions);
  return json_reply(200, JsonObjectText()
                             .text("status", "bound")
                             .text("inboxPrefix", inbox_prefix(session_key))
                             .text("expires", iso_time(expires))
                             .json("sentinel", context.sentinel_json)
                             .json("transports", context.transports_json)
                             .str());
}

} // namespace trellis::auth
