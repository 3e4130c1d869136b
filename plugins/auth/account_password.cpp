// POST /auth/account-flow/:id/local-password (04 §13.2), for all three kinds of flow.
//
// The checks run twice: once before the hash is computed, so that a refusal is quick, and once in the transaction that
// stores it, because the answer may have changed meanwhile.
#include "account_flow.h"
#include "http_context.h"
#include "principals.h"
#include "session_ends.h"
#include "store/authority.h"
#include "store/sessions.h"
#include "wire/login_proofs.h"
#include "wire/sodium_ready.h"
#include "wire/ulid.h"
#include <algorithm>
#include <array>
#include <future>
#include <rapidjson/document.h>
#include <sodium.h>

namespace trellis::auth {
namespace {

struct Asked {
  std::string password;
  std::optional<std::string> username, name, email;
};

std::optional<Asked> read_body(const JsonValue &body) {
  Asked out;
  const auto password = nonempty_text(body, "password");
  if (!password) return std::nullopt;
  out.password = *password;
  const std::array<std::pair<const char *, std::optional<std::string> *>, 3> optional = {
      {{"username", &out.username}, {"name", &out.name}, {"email", &out.email}}};
  for (const auto &[member, value] : optional) {
    *value = nonempty_text(body, member);
    if (!*value && find_member(body, member)) return std::nullopt;
  }
  return out;
}

struct Refusal {
  int status = 0;
  std::string code; // "" = none
  explicit operator bool() const { return !code.empty(); }
};

HttpResponse refusal_reply(const ControlPlaneConfig &config, const Refusal &refusal) {
  if (refusal.code != "local_password_too_short") return error_reply(refusal.status, refusal.code);
  return json_reply(400,
                    JsonObjectText().text("error", refusal.code).number("minLength", config.password_min_length).str());
}

bool too_short(const Core &core, const Asked &asked) {
  return password_length(asked.password) < static_cast<std::size_t>(core.config.password_min_length);
}

std::vector<Identity> local_identities(Reader &db, std::string_view user_id) {
  auto out = identities_of(db, user_id);
  std::erase_if(out, [](const Identity &identity) { return identity.provider != "local"; });
  return out;
}

Refusal check_target(Reader &db, const AccountFlow &flow) {
  if (!allows_provider(flow, "local")) return {403, "local_provider_not_allowed"};
  if (!flow.target_user_id) return {403, "flow_missing_target_user"};
  const auto user = find_user(db, *flow.target_user_id);
  if (!user) return {404, "target_user_not_found"};
  if (!user->active) return {403, "target_user_inactive"};
  return {};
}

Refusal check_username(Reader &db, const std::string &username, const std::string &user_id) {
  const auto owner = find_identity(db, "local", username);
  if (owner && owner->user_id != user_id) return {409, "local_identity_exists"};
  const auto own = local_identities(db, user_id);
  const auto other = [&](const Identity &identity) { return identity.subject != username; };
  if (std::any_of(own.begin(), own.end(), other)) return {409, "local_identity_exists"};
  return {};
}

Refusal check_reset(const Core &core, Reader &db, const AccountFlow &flow, const Asked &asked) {
  if (auto refusal = check_target(db, flow)) return refusal;
  if (!flow.target_identity_id || !flow.target_local_username) return {403, "flow_missing_local_identity"};
  if (asked.username && *asked.username != *flow.target_local_username) return {400, "local_username_mismatch"};
  const auto own = local_identities(db, *flow.target_user_id);
  if (own.size() != 1 || own.front().identity_id != *flow.target_identity_id)
    return {403, "flow_missing_local_identity"};
  if (too_short(core, asked)) return {400, "local_password_too_short"};
  return check_username(db, *flow.target_local_username, *flow.target_user_id);
}

Refusal check_link(const Core &core, Reader &db, const AccountFlow &flow, const Asked &asked) {
  if (auto refusal = check_target(db, flow)) return refusal;
  if (!asked.username) return {400, "local_username_mismatch"};
  if (too_short(core, asked)) return {400, "local_password_too_short"};
  return check_username(db, *asked.username, *flow.target_user_id);
}

bool has_active_admin(Reader &db) {
  const auto users = list_users(db);
  return std::any_of(users.begin(), users.end(), [&](const User &user) {
    if (!user.active) return false;
    const auto held = resolved_capabilities(db, user);
    return std::find(held.begin(), held.end(), "admin") != held.end();
  });
}

Refusal check_admin(const Core &core, Reader &db, const AccountFlow &flow, const Asked &asked) {
  if (!asked.username) return {400, "local_username_mismatch"};
  if (too_short(core, asked)) return {400, "local_password_too_short"};
  const auto capabilities = flow.capabilities.value_or(Names{});
  if (std::find(capabilities.begin(), capabilities.end(), "admin") == capabilities.end())
    return {403, "flow_missing_admin_capability"};
  if (has_active_admin(db)) return {409, "admin_already_exists"};
  if (find_identity(db, "local", *asked.username)) return {409, "local_identity_exists"};
  return {};
}

struct Checked {
  Refusal refusal;
  AccountFlow flow;
};

Checked check(const Core &core, Reader &db, std::string_view flow_id, const Asked &asked) {
  const auto flow = find_account_flow(db, opaque_token_hash(flow_id));
  if (!flow) return {{404, "flow_not_found"}, {}};
  if (flow->consumed_at) return {{409, "flow_already_consumed"}, *flow};
  if (flow->expires_at <= core.now()) return {{410, "flow_expired"}, *flow};
  if (flow->kind == "local_password_reset") return {check_reset(core, db, *flow, asked), *flow};
  if (flow->kind == "identity_link") return {check_link(core, db, *flow, asked), *flow};
  return {check_admin(core, db, *flow, asked), *flow};
}

Identity new_identity(const Asked &asked, const std::string &user_id, UnixMs now) {
  Identity out;
  out.identity_id = identity_id_of("local", *asked.username);
  out.user_id = user_id;
  out.provider = "local";
  out.subject = *asked.username;
  out.display_name = asked.name;
  out.email = asked.email;
  out.linked_at = now;
  return out;
}

// Where the password goes: the user, and for link and first admin what has to be made.
std::string store_account(Writer &db, const AccountFlow &flow, const Asked &asked, UnixMs now) {
  if (flow.kind == "local_password_reset") return *flow.target_user_id;
  if (flow.kind == "identity_link") {
    if (!find_identity(db, "local", *asked.username)) put_identity(db, new_identity(asked, *flow.target_user_id, now));
    return *flow.target_user_id;
  }
  User user;
  user.user_id = "usr_" + new_ulid();
  user.name = asked.name;
  user.email = asked.email;
  user.groups = {"admin"};
  user.created_at = now;
  put_user(db, user);
  put_identity(db, new_identity(asked, user.user_id, now));
  return user.user_id;
}

// An error's code is that of the refusal, its `expected` the status.
tl::unexpected<Error> refused_error(const Refusal &refusal) {
  return fail(refusal.code, "", std::to_string(refusal.status), "refusal");
}

struct Stored {
  std::string user_id;
  std::optional<std::string> return_to;
};

Result<Stored> store(const Core &core, Writer &db, std::string_view flow_id, const Asked &asked,
                     const Credential &credential) {
  auto again = check(core, db, flow_id, asked);
  if (again.refusal.code == "flow_already_consumed") return refused_error({409, "flow_consume_conflict"});
  if (again.refusal) return refused_error(again.refusal);
  const auto now = core.now();
  again.flow.consumed_at = now;
  put_account_flow(db, again.flow);
  Stored out{store_account(db, again.flow, asked, now), again.flow.return_to};
  put_credential(db, credential);
  audit(db, now, out.user_id, "account.password", credential.identity_id,
        JsonObjectText().text("kind", again.flow.kind).str());
  return out;
}

// One transaction with the end of every session of the account (03 §9.4); other kinds end none.
Result<Stored> store_and_end_sessions(HttpContext &context, std::string_view flow_id, const AccountFlow &flow,
                                      const Asked &asked, const Credential &credential) {
  auto &core = context.core;
  Stored out;
  const auto change = [&](Writer &db) -> Result<void> {
    auto stored = store(core, db, flow_id, asked, credential);
    if (!stored) return tl::make_unexpected(stored.error());
    out = std::move(*stored);
    return {};
  };
  Result<void> done;
  if (flow.kind == "local_password_reset") {
    auto sessions = core.db.read(
        [&](Reader &db) { return sessions_of_user(db, *flow.target_user_id, core.sessions_expired_before()); });
    if (!sessions) return tl::make_unexpected(sessions.error());
    std::vector<std::string> keys;
    for (const auto &session : *sessions)
      keys.push_back(session.session_key);
    const auto ended = end_sessions(core, context.connections, keys, flow.created_by.value_or("system"), change);
    if (!ended) done = tl::make_unexpected(ended.error());
  } else {
    done = core.db.write(change);
  }
  if (!done) return tl::make_unexpected(done.error());
  return out;
}

} // namespace

std::optional<Credential> hash_on_pool(HttpContext &context, std::string_view password, std::string_view identity_id) {
  ensure_sodium();
  Bytes salt(16);
  randombytes_buf(salt.data(), salt.size());
  const auto now = context.core.now();
  std::packaged_task<Credential()> work([&] { return hash_password(password, salt, identity_id, now); });
  auto answer = work.get_future();
  if (!context.passwords.run([&] { work(); })) return std::nullopt;
  return answer.get();
}

RouteResult set_local_password(HttpContext &context, const HttpRequest &request, const std::string &flow_id) {
  auto &core = context.core;
  const auto body = parse_body(request.body);
  if (!body) return invalid_body();
  const auto asked = read_body(*body);
  if (!asked) return error_reply(400, "Invalid request");
  const auto checked = core.db.read([&](Reader &db) { return check(core, db, flow_id, *asked); });
  if (!checked) return tl::make_unexpected(checked.error());
  if (checked->refusal) return refusal_reply(core.config, checked->refusal);
  const auto &flow = checked->flow;
  const auto identity_id =
      flow.kind == "local_password_reset" ? *flow.target_identity_id : identity_id_of("local", *asked->username);
  const auto credential = hash_on_pool(context, asked->password, identity_id);
  if (!credential) return busy_reply();
  const auto stored = store_and_end_sessions(context, flow_id, flow, *asked, *credential);
  if (!stored && stored.error().expected == "refusal")
    return refusal_reply(core.config, {std::stoi(stored.error().message), stored.error().code});
  if (!stored) return tl::make_unexpected(stored.error());
  JsonObjectText out;
  out.text("status", "created").text("userId", stored->user_id);
  if (stored->return_to) out.text("returnTo", *stored->return_to);
  return json_reply(200, out.str());
}

} // namespace trellis::auth
