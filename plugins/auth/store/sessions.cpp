#include "store/sessions.h"

#include "store/columns.h"
#include "store/session_record.h"

namespace trellis::auth {
namespace {

constexpr std::string_view kSessions = "SELECT session_key, created_at, last_auth, type, record FROM sessions";
constexpr std::string_view kByKey = " WHERE session_key = ?1 AND last_auth >= ?2";
constexpr std::string_view kAll = " WHERE last_auth >= ?1 ORDER BY session_key";
constexpr std::string_view kOfUser = " WHERE user_id = ?1 AND last_auth >= ?2 ORDER BY session_key";
constexpr std::string_view kOfGrant =
    " WHERE user_id = ?1 AND identity_grant_id = ?2 AND last_auth >= ?3 ORDER BY session_key";
constexpr std::string_view kOfInstance = " WHERE instance_id = ?1 AND last_auth >= ?2 ORDER BY session_key";

Result<Session> read_session(Columns row) {
  Session session{.session_key = row.text(), .created_at = row.integer(), .last_auth = row.integer(), .of = {}};
  const std::string type = row.text();
  if (auto read = read_session_record(session, type, row.text()); !read) return tl::make_unexpected(read.error());
  return session;
}

std::vector<Session> readable(Reader &db, std::string_view sql, SqlValues values) {
  std::vector<Session> out;
  for (Row row = db.query(sql, values); row.next();)
    if (auto session = read_session(Columns(row))) out.push_back(std::move(*session));
  return out;
}

// What a session is found by.
struct Keys {
  std::optional<std::string> user_id, identity_grant_id, instance_id, deployment_id;
};
Keys keys_of(const Session &session) {
  if (const auto *user = session.user()) return {user->user_id, user->identity_grant_id, {}, {}};
  if (const auto *service = session.service()) return {{}, {}, service->instance_id, service->deployment_id};
  return {{}, {}, session.device()->instance_id, session.device()->deployment_id};
}

} // namespace

Result<std::optional<Session>> find_session(Reader &db, std::string_view session_key, UnixMs expired_before) {
  const auto found = first_of(db, joined<kSessions, kByKey>, {session_key, expired_before}, read_session);
  if (!found) return std::optional<Session>();
  if (!*found) return tl::make_unexpected(found->error());
  return **found;
}

std::vector<Session> list_sessions(Reader &db, UnixMs expired_before) {
  return readable(db, joined<kSessions, kAll>, {expired_before});
}

std::vector<Session> sessions_of_user(Reader &db, std::string_view user_id, UnixMs expired_before) {
  return readable(db, joined<kSessions, kOfUser>, {user_id, expired_before});
}

std::vector<Session> sessions_of_grant(Reader &db, std::string_view user_id, std::string_view identity_grant_id,
                                       UnixMs expired_before) {
  return readable(db, joined<kSessions, kOfGrant>, {user_id, identity_grant_id, expired_before});
}

std::vector<Session> sessions_of_instance(Reader &db, std::string_view instance_id, UnixMs expired_before) {
  return readable(db, joined<kSessions, kOfInstance>, {instance_id, expired_before});
}

std::vector<std::string> session_keys_of_instances(Reader &db, const Names &instance_ids, UnixMs expired_before) {
  std::vector<std::string> out;
  for (const auto &instance_id : instance_ids) {
    Row row = db.query("SELECT session_key FROM sessions WHERE instance_id = ?1 AND last_auth >= ?2",
                       {instance_id, expired_before});
    while (row.next())
      out.push_back(row.text(0));
  }
  std::sort(out.begin(), out.end());
  return out;
}

void put_session(Writer &db, const Session &session) {
  const Keys keys = keys_of(session);
  db.execute("INSERT OR REPLACE INTO sessions (session_key, type, created_at, last_auth, user_id, identity_grant_id, "
             "instance_id, deployment_id, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
             {session.session_key, session_type(session), session.created_at, session.last_auth, keys.user_id,
              keys.identity_grant_id, keys.instance_id, keys.deployment_id, session_record(session)});
}

void touch_session(Writer &db, std::string_view session_key, UnixMs last_auth) {
  db.execute("UPDATE sessions SET last_auth = ?2 WHERE session_key = ?1 AND last_auth < ?2", {session_key, last_auth});
}

bool delete_session(Writer &db, std::string_view session_key) {
  return db.execute("DELETE FROM sessions WHERE session_key = ?1", {session_key}) > 0;
}

int delete_expired_sessions(Writer &db, UnixMs expired_before) {
  return db.execute("DELETE FROM sessions WHERE last_auth < ?1", {expired_before});
}

} // namespace trellis::auth
