// Sessions and connections over RPC (05 §6.3).
#include "authority_records.h"
#include "contracts/json_write.h"
#include "principals.h"
#include "rpc_table.h"
#include "session_ends.h"
#include "session_rows.h"
#include "store/database.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <algorithm>
#include <chrono>
#include <map>
#include <rapidjson/document.h>
#include <utility>

namespace trellis::auth {
namespace {

constexpr std::chrono::milliseconds kReplyLimit{2000}; // for a reply to reach the server before its caller is kicked

// -------------------------------------------------------------------------------------------------------------- Me

std::string account_json(Reader &db, const User &user, const IdentityRef &identity, const UserSession *session,
                         UnixMs last_auth) {
  JsonObjectText out;
  out.text("userId", user.user_id).flag("active", user.active);
  out.text("name", user.name.value_or(session ? session->name : ""));
  out.text("email", user.email.value_or(session ? session->email : ""));
  if (session && session->image) out.text("image", *session->image);
  out.texts("capabilities", resolved_capabilities(db, user)); // all that the account holds, not what was delegated
  out.json("identity", identity_object(identity));
  if (session) out.text("lastLogin", iso_time(last_auth));
  return out.str();
}

// The account that activated a device, or "null".
std::string activator_json(Reader &db, const DeviceSession &device) {
  const auto activation = find_activation(db, device.instance_id);
  if (!activation || !activation->activated_by) return "null";
  const auto actor = parse_json(*activation->activated_by);
  const auto user = actor ? find_user(db, string_member(*actor, "userId")) : std::nullopt;
  const auto *identity = actor ? find_member(*actor, "identity") : nullptr;
  if (!user || !identity) return "null";
  const IdentityRef ref{std::string(string_member(*identity, "identityId")),
                        std::string(string_member(*identity, "provider")),
                        std::string(string_member(*identity, "subject"))};
  return account_json(db, *user, ref, nullptr, 0);
}

std::string me_json(std::string_view kind, std::string_view user, std::string_view device, std::string_view service) {
  return JsonObjectText()
      .text("participantKind", kind)
      .json("user", user)
      .json("device", device)
      .json("service", service)
      .str();
}

// The caller objects of devices and services have the shape that is wanted here.
Result<std::string> describe_me(Reader &db, const Session &session, std::string_view caller) {
  if (session.service()) return me_json("service", "null", "null", caller);
  if (const auto *device = session.device()) return me_json("device", activator_json(db, *device), caller, "null");
  const auto &mine = *session.user();
  const auto user = find_user(db, mine.user_id);
  if (!user) return fail("user_not_found", {}, "the account is gone");
  return me_json(mine.participant_kind, account_json(db, *user, mine.identity, &mine, session.last_auth), "null",
                 "null");
}

RpcOutcome me(RpcContext &context, const RpcRequest &request) {
  auto found = context.core.db.read([&](Reader &db) -> Result<std::string> {
    const auto session = find_session(db, request.session_key, context.core.sessions_expired_before());
    if (!session) return tl::make_unexpected(session.error());
    if (!*session) return fail("session_not_found", {}, "the session is gone");
    return describe_me(db, **session, request.caller);
  });
  if (!found) return tl::make_unexpected(envelope_of(found.error()));
  return outcome_of(std::move(*found));
}

// ----------------------------------------------------------------------------------------------------------- lists

RpcOutcome list_all_sessions(RpcContext &context, const RpcRequest &request) {
  const auto body = Body::parse(request.input);
  if (!body) return tl::make_unexpected(envelope_of(body.error()));
  const auto who = body->optional_text("user");
  auto sessions =
      context.core.db.read([&](Reader &db) { return list_sessions(db, context.core.sessions_expired_before()); });
  if (!sessions) return tl::make_unexpected(envelope_of(sessions.error()));
  if (who) std::erase_if(*sessions, [&](const Session &session) { return listed_under(session) != *who; });
  std::ranges::sort(*sessions, {}, session_row_key);
  return RpcAnswer{page_of(*body, *sessions, session_row), {}};
}

struct Connected {
  const Session *session;
  const ConnectionRecord *record;
};

// Records whose session is there and fits, sorted by key. The views live as long as the arguments.
std::vector<Connected> matching(const std::vector<ConnectionRecord> &records, const std::vector<Session> &sessions,
                                const std::optional<std::string> &who) {
  std::map<std::string_view, const Session *> by_key;
  for (const auto &session : sessions)
    by_key[session.session_key] = &session;
  std::vector<Connected> rows;
  for (const auto &record : records) {
    const auto found = by_key.find(record.key.session_key);
    if (found == by_key.end() || (who && listed_under(*found->second) != *who)) continue;
    rows.push_back({found->second, &record});
  }
  std::ranges::sort(rows, {}, [](const Connected &row) { return connection_row_key(*row.session, *row.record); });
  return rows;
}

// A session key's own filter wins; one that is no key would be a pattern.
Result<std::vector<ConnectionRecord>> wanted_records(Connections &connections,
                                                     const std::optional<std::string> &session_key) {
  if (!session_key) return connections.all();
  if (!is_session_key_text(*session_key)) return std::vector<ConnectionRecord>{};
  return connections.of_session(*session_key);
}

RpcOutcome list_connections(RpcContext &context, const RpcRequest &request) {
  const auto body = Body::parse(request.input);
  if (!body) return tl::make_unexpected(envelope_of(body.error()));
  const auto session_key = body->optional_text("sessionKey");
  auto records = wanted_records(context.connections, session_key);
  if (!records) { // 05 §6.3
    context.core.log(Level::warn, "connection records can't be listed",
                     JsonObjectText().text("detail", records.error().text()).str());
    records = std::vector<ConnectionRecord>{};
  }
  const auto sessions =
      context.core.db.read([&](Reader &db) { return list_sessions(db, context.core.sessions_expired_before()); });
  if (!sessions) return tl::make_unexpected(envelope_of(sessions.error()));
  const auto rows = matching(*records, *sessions, session_key ? std::nullopt : body->optional_text("user"));
  return RpcAnswer{page_of(*body, rows, [](const Connected &row) { return connection_row(*row.session, *row.record); }),
                   {}};
}

// ------------------------------------------------------------------------------------------------------------ ends

// The caller sits on the connection that is kicked, so the reply goes first (03 §9.4).
RpcOutcome logout(RpcContext &context, const RpcRequest &request) {
  const auto user = require_user(request);
  if (!user) return tl::make_unexpected(user.error());
  auto outcome = success_of(forget_own_session(context.core, request.session_key));
  if (outcome)
    outcome->after = [&context, key = std::string(request.session_key), scope = user->user_id] {
      static_cast<void>(context.trellis.flush(kReplyLimit));
      context.connections.kick_session(key, scope);
    };
  return outcome;
}

RpcOutcome revoke(RpcContext &context, const RpcRequest &request) {
  const auto user = require_user(request);
  if (!user) return tl::make_unexpected(user.error());
  const auto body = Body::parse(request.input);
  if (!body) return tl::make_unexpected(envelope_of(body.error()));
  return success_of(revoke_session(context.core, context.connections, body->text("sessionKey"), user->user_id));
}

RpcOutcome kick(RpcContext &context, const RpcRequest &request) {
  const auto user = require_user(request);
  if (!user) return tl::make_unexpected(user.error());
  const auto body = Body::parse(request.input);
  if (!body) return tl::make_unexpected(envelope_of(body.error()));
  return success_of(kick_connections(context.core, context.connections, body->text("userNkey"), user->user_id));
}

} // namespace

void add_session_rpcs(RpcHandlers &handlers) {
  handlers["Auth.Sessions.Me"] = me;
  handlers["Auth.Sessions.List"] = list_all_sessions;
  handlers["Auth.Sessions.Logout"] = logout;
  handlers["Auth.Sessions.Revoke"] = revoke;
  handlers["Auth.Connections.List"] = list_connections;
  handlers["Auth.Connections.Kick"] = kick;
}

} // namespace trellis::auth
