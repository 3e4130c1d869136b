// POST /auth/login/local (04 §10.2): a user name and a password on a login flow. Whatever is wrong about them, the
// answer is the same and takes a hash's time, so that it tells nobody which user names exist.
#include "http_context.h"
#include "store/accounts.h"
#include "wire/session_key.h"
#include <future>
#include <memory>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// What is verified when there is nothing to verify: the hash of no password.
Credential no_credential() {
  Credential out;
  out.salt = base64url(Bytes(16, 0));
  out.hash = base64url(Bytes(32, 0));
  return out;
}

struct LocalAccount {
  std::optional<Identity> identity;
  std::optional<User> user;
  std::optional<Credential> credential;
  bool complete() const { return identity && user && credential; }
};

LocalAccount find_local(Reader &db, std::string_view username) {
  LocalAccount out;
  out.identity = find_identity(db, "local", username);
  if (!out.identity) return out;
  out.user = find_user(db, out.identity->user_id);
  out.credential = find_credential(db, out.identity->identity_id);
  return out;
}

// On what is stored now: of two failures at once both count.
Result<void> count_failure(Core &core, const std::string &identity_id) {
  return core.db.write([&](Writer &db) -> Result<void> {
    const auto now = core.now();
    const auto credential = find_credential(db, identity_id);
    if (!credential || is_locked(*credential, now)) return {};
    const auto after = after_failed_login(*credential, now);
    put_credential(db, after);
    audit(db, now, identity_id, is_locked(after, now) ? "login.lock" : "login.fail", identity_id, "{}");
    return {};
  });
}

// False: the credential was changed or locked while its hash was computed.
Result<bool> count_success(Core &core, const Credential &verified) {
  return core.db.write<bool>([&](Writer &db) -> Result<bool> {
    const auto now = core.now();
    auto credential = find_credential(db, verified.identity_id);
    if (!credential || credential->hash != verified.hash || is_locked(*credential, now)) return false;
    credential->failed_logins = 0;
    credential->locked_until.reset();
    credential->updated_at = now;
    put_credential(db, *credential);
    return true;
  });
}

Result<void> note_login(Core &core, const Identity &identity) {
  return core.db.write([&](Writer &db) -> Result<void> {
    auto stored = find_identity(db, identity.provider, identity.subject);
    if (!stored) return {};
    stored->last_login_at = core.now();
    put_identity(db, *stored);
    audit(db, core.now(), stored->user_id, "login.local", stored->identity_id, "{}");
    return {};
  });
}

PendingLogin pending_login(const LoginFlow &flow, const User &user, const Identity &identity, UnixMs now) {
  PendingLogin out;
  out.user_id = user.user_id;
  out.identity = {identity.identity_id, identity.provider, identity.subject};
  out.email = user.email ? user.email : identity.email;
  out.name = user.name ? user.name : identity.display_name;
  out.session_key = flow.session_key;
  out.redirect_to = flow.redirect_to;
  out.app = flow.app;
  out.contract = flow.contract;
  out.created_at = now;
  return out;
}

} // namespace

HttpResponse busy_reply() {
  auto out = error_reply(503, "busy");
  set_header(out, "Retry-After", "1");
  return out;
}

std::optional<bool> verify_on_pool(HttpContext &context, const Credential &credential, std::string_view password) {
  std::packaged_task<bool()> work([&] { return verify_password(credential, password); });
  auto answer = work.get_future();
  if (!context.passwords.run([&] { work(); })) return std::nullopt;
  return answer.get();
}

RouteResult login_with_password(HttpContext &context, const HttpRequest &request) {
  auto &core = context.core;
  if (!core.config.local_identity) return error_reply(403, "local_identity_disabled");
  const auto body = parse_body(request.body);
  if (!body) return invalid_body();
  const auto flow_id = nonempty_text(*body, "flowId"), username = nonempty_text(*body, "username");
  const auto password = nonempty_text(*body, "password");
  if (!flow_id || !username || !password) return error_reply(400, "Invalid login request");
  const auto flow = context.flows.find(*flow_id);
  if (!flow) return tl::make_unexpected(flow.error());
  if (!*flow || (*flow)->expires_at <= core.now()) return text_reply(404, "Unknown or expired flow");
  if (!is_session_key_text((*flow)->session_key)) return text_reply(400, "Invalid flow");

  const auto account = core.db.read([&](Reader &db) { return find_local(db, *username); });
  if (!account) return tl::make_unexpected(account.error());
  const bool can_try = account->complete() && !is_locked(*account->credential, core.now());
  const auto credential = can_try ? *account->credential : no_credential();
  const auto verified = verify_on_pool(context, credential, *password);
  if (!verified) return busy_reply();
  if (!can_try) return error_reply(403, "invalid_credentials");
  if (!*verified) {
    if (auto counted = count_failure(core, credential.identity_id); !counted)
      return tl::make_unexpected(counted.error());
    return error_reply(403, "invalid_credentials");
  }
  const auto counted = count_success(core, credential);
  if (!counted) return tl::make_unexpected(counted.error());
  if (!*counted) return error_reply(403, "invalid_credentials");
  if (!account->user->active) return error_reply(403, "user_inactive");
  if (auto noted = note_login(core, *account->identity); !noted) return tl::make_unexpected(noted.error());
  const auto identified =
      context.flows.identify(*flow_id, pending_login(**flow, *account->user, *account->identity, core.now()));
  if (!identified) return tl::make_unexpected(identified.error());
  if (!*identified) return text_reply(404, "Unknown or expired flow");
  return json_reply(200, JsonObjectText().text("status", "authenticated").text("flowId", *flow_id).str());
}

} // namespace trellis::auth
