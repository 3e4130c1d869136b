#include "session_ends.h"

#include "contracts/json_write.h"
#include "principals.h"
#include "store/authority.h"
#include "store/deployments.h"
#include "store/sessions.h"
#include "wire/nkeys.h"
#include "wire/session_key.h"
#include <optional>
#include <set>
#include <utility>

namespace trellis::auth {
namespace {

// A session that is gone, and whom the event about it names.
struct Ended {
  std::string session_key;
  std::optional<EventSubject> who; // nullopt: a device's, or one whose record couldn't be read
};

using Sessions = std::vector<Ended>;

// nullopt: there is none. A record that can't be read ends like any other.
std::optional<Ended> delete_one(Core &core, Writer &db, const std::string &session_key) {
  const auto found = find_session(db, session_key, core.sessions_expired_before());
  const bool there = delete_session(db, session_key);
  if (!found) return there ? std::optional(Ended{session_key, std::nullopt}) : std::nullopt;
  if (!*found) return std::nullopt;
  return Ended{session_key, event_subject(**found)};
}

Sessions delete_all(Core &core, Writer &db, const std::vector<std::string> &session_keys) {
  Sessions ended;
  for (const auto &key : session_keys)
    if (auto session = delete_one(core, db, key)) ended.push_back(std::move(*session));
  return ended;
}

void audit_end(Core &core, Writer &db, const Sessions &ended, std::string_view by) {
  for (const auto &session : ended)
    audit(db, core.now(), by, by.empty() ? "session.end" : "session.revoke", session.session_key, "{}");
}

// After the commit (03 §9.4): kick, then tell. The keys are kicked whether or not they had a session: an expired one
// leaves its connections behind.
void kick_and_tell(Connections &connections, const std::vector<std::string> &session_keys, const Sessions &ended,
                   std::string_view revoked_by) {
  for (const auto &key : session_keys)
    if (is_session_key_text(key)) connections.kick_session(key); // others never connected, and would be patterns
  if (revoked_by.empty()) return;
  for (const auto &session : ended)
    if (session.who) connections.revoked(*session.who, session.session_key, revoked_by);
}

// ---------------------------------------------------------------- bind

bool same_texts(const Names &a, const Names &b) {
  return std::set<std::string>(a.begin(), a.end()) == std::set<std::string>(b.begin(), b.end());
}

bool same_identity(const UserSession &a, const UserSession &b) {
  return a.user_id == b.user_id && a.identity == b.identity;
}

// 03 §8.3 step 2: whether a connection made with `before` has the permissions of `after`.
bool same_authority(const UserSession &before, const UserSession &after) {
  return before.contract_digest == after.contract_digest && before.contract_id == after.contract_id &&
         before.identity_grant_id == after.identity_grant_id && before.participant_kind == after.participant_kind &&
         same_texts(before.capabilities, after.capabilities) &&
         same_texts(before.publish_subjects, after.publish_subjects) &&
         same_texts(before.subscribe_subjects, after.subscribe_subjects);
}

// What the bind leaves, and whether the connections of the key must go.
BindResult bound(const Result<std::optional<Session>> &before, Session fresh) {
  BindResult result;
  const bool there = !before || before->has_value();
  const auto *old = before && *before ? (*before)->user() : nullptr;
  if (old && same_identity(*old, *fresh.user())) {
    fresh.created_at = (*before)->created_at;
    result.kicked = !same_authority(*old, *fresh.user());
  } else {
    fresh.created_at = fresh.last_auth;
    result.replaced = result.kicked = there;
  }
  result.stored = std::move(fresh);
  return result;
}

// ---------------------------------------------------------------- revoke

// 03 §9.5: every session of the user with the same grant and participant kind. A session without a grant shares it
// with none.
std::vector<std::string> sessions_revoked_with(Core &core, Writer &db, const Session &session) {
  const auto &revoked = *session.user();
  if (!revoked.identity_grant_id) return {session.session_key};
  std::vector<std::string> keys;
  for (const auto &other :
       sessions_of_grant(db, revoked.user_id, *revoked.identity_grant_id, core.sessions_expired_before()))
    if (other.user() && other.user()->participant_kind == revoked.participant_kind) keys.push_back(other.session_key);
  return keys;
}

void withdraw_grant(Writer &db, const UserSession &session) {
  if (!session.identity_grant_id) return;
  const auto grant = find_identity_grant(db, *session.identity_grant_id);
  if (grant && grant->answer == "approved") delete_identity_grant(db, *session.identity_grant_id);
}

void disable_instance(Writer &db, const std::string &session_key) {
  auto instance = service_instance_of_key(db, session_key);
  if (!instance) return;
  instance->disabled = true;
  put_service_instance(db, *instance);
}

void revoke_activation(Writer &db, const DeviceSession &session, UnixMs now) {
  auto activation = find_activation(db, session.instance_id);
  if (!activation) return;
  activation->state = "revoked";
  activation->revoked_at = now;
  put_activation(db, *activation);
}

// The durable records besides the sessions; returns whose sessions end.
std::vector<std::string> revoke_authority(Core &core, Writer &db, const Session &session) {
  if (session.service()) disable_instance(db, session.session_key);
  if (session.device()) revoke_activation(db, *session.device(), core.now());
  if (!session.user()) return {session.session_key};
  auto keys = sessions_revoked_with(core, db, session);
  withdraw_grant(db, *session.user());
  return keys;
}

struct Revocation {
  std::vector<std::string> session_keys;
  Sessions ended;
};

Result<Revocation> revoke_in(Core &core, Writer &db, const std::string &session_key, std::string_view by) {
  Revocation revocation;
  const auto session = find_session(db, session_key, core.sessions_expired_before());
  if (!session && session.error().code != "session_corrupted") return tl::make_unexpected(session.error());
  if (session && !*session) return revocation;
  revocation.session_keys = session ? revoke_authority(core, db, **session) : std::vector<std::string>{session_key};
  revocation.ended = delete_all(core, db, revocation.session_keys);
  audit_end(core, db, revocation.ended, by);
  return revocation;
}

tl::unexpected<Error> nothing_named(const char *member) {
  return fail("invalid_request", member, "the text is empty");
}

} // namespace

Result<BindResult> bind_session(Core &core, Connections &connections, Session fresh) {
  fresh.last_auth = core.now();
  auto result = core.db.write<BindResult>([&](Writer &db) -> Result<BindResult> {
    const auto before = find_session(db, fresh.session_key, core.sessions_expired_before());
    if (!before && before.error().code != "session_corrupted") return tl::make_unexpected(before.error());
    auto bind = bound(before, fresh);
    put_session(db, bind.stored);
    audit(db, fresh.last_auth, bind.stored.user()->user_id, "session.bind", fresh.session_key,
          JsonObjectText().text("contractDigest", bind.stored.user()->contract_digest).str());
    return bind;
  });
  if (result && result->kicked) connections.kick_session(result->stored.session_key);
  return result;
}

Result<std::size_t> end_sessions(Core &core, Connections &connections, const std::vector<std::string> &session_keys,
                                 std::string_view revoked_by, const std::function<Result<void>(Writer &)> &changes) {
  auto ended = core.db.write<Sessions>([&](Writer &db) -> Result<Sessions> {
    if (changes)
      if (const auto changed = changes(db); !changed) return tl::make_unexpected(changed.error());
    auto sessions = delete_all(core, db, session_keys);
    audit_end(core, db, sessions, revoked_by);
    return sessions;
  });
  if (!ended) return tl::make_unexpected(ended.error());
  kick_and_tell(connections, session_keys, *ended, revoked_by);
  return ended->size();
}

Result<bool> revoke_session(Core &core, Connections &connections, std::string_view session_key,
                            std::string_view revoked_by) {
  if (session_key.empty()) return nothing_named("sessionKey");
  const auto revocation =
      core.db.write<Revocation>([&](Writer &db) { return revoke_in(core, db, std::string(session_key), revoked_by); });
  if (!revocation) return tl::make_unexpected(revocation.error());
  kick_and_tell(connections, revocation->session_keys, revocation->ended, revoked_by);
  return !revocation->session_keys.empty();
}

Result<bool> forget_own_session(Core &core, std::string_view session_key) {
  return core.db.write<bool>([&](Writer &db) -> Result<bool> {
    const auto ended = delete_all(core, db, {std::string(session_key)});
    audit_end(core, db, ended, {});
    return !ended.empty();
  });
}

// The records go first and for good, so a session that ended meanwhile still counts (05 §6.3); only its event has
// nobody to name.
Result<bool> kick_connections(Core &core, Connections &connections, std::string_view user_nkey,
                              std::string_view kicked_by) {
  if (user_nkey.empty()) return nothing_named("userNkey");
  if (!decode_nkey(user_nkey, NkeyType::user)) return false; // nor may it become part of a pattern
  const auto records = connections.of_user_nkey(user_nkey);
  if (!records) return tl::make_unexpected(records.error());
  bool any = false;
  for (const auto &record : *records) {
    const auto session = core.db.read(
        [&](Reader &db) { return find_session(db, record.key.session_key, core.sessions_expired_before()); });
    const bool known = session && *session && **session;
    connections.kick(record);
    if (known && (**session)->device()) continue;
    any = true;
    if (!known) continue;
    if (const auto who = event_subject(***session)) connections.kicked(*who, record.key.user_nkey, kicked_by);
  }
  return any;
}

} // namespace trellis::auth
