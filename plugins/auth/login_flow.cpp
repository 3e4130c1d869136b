#include "login_flow.h"

#include "contracts/encoding.h"
#include "contracts/json_write.h"
#include "platform_streams.h"
#include "wire/login_proofs.h"
#include "wire/sodium_ready.h"
#include "wire/ulid.h"
#include <array>
#include <rapidjson/document.h>
#include <sodium.h>

namespace trellis::auth {
namespace {

constexpr int kAttempts = 8; // a flow changes when somebody signs in on it: rarely twice at once

bool is_flow_id(std::string_view text) {
  constexpr std::string_view alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  return text.size() == 26 && text.find_first_not_of(alphabet) == std::string_view::npos;
}

std::string new_token() {
  ensure_sodium();
  std::array<std::uint8_t, 32> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return base64url(bytes);
}

std::string app_json(const AppIdentity &app) {
  JsonObjectText out;
  out.text("contractId", app.contract_id);
  if (app.origin) out.text("origin", *app.origin);
  return out.str();
}

std::string flow_json(const LoginFlow &flow) {
  JsonObjectText out;
  out.text("kind", "login").text("flowId", flow.flow_id).text("sessionKey", flow.session_key);
  out.text("redirectTo", flow.redirect_to).json("app", app_json(flow.app)).json("contract", flow.contract);
  if (flow.context) out.json("context", *flow.context);
  out.text("portalId", flow.portal_id);
  if (flow.auth_token) out.text("authToken", *flow.auth_token);
  return out.text("createdAt", iso_time(flow.created_at)).text("expiresAt", iso_time(flow.expires_at)).str();
}

std::string pending_json(const PendingLogin &login) {
  JsonObjectText identity, user, out;
  identity.text("identityId", login.identity.identity_id);
  identity.text("provider", login.identity.provider).text("subject", login.identity.subject);
  user.text("origin", login.identity.provider).text("id", login.identity.subject);
  if (login.email) user.text("email", *login.email);
  if (login.name) user.text("name", *login.name);
  if (login.image) user.text("image", *login.image);
  out.text("userId", login.user_id).json("identity", identity.str()).json("user", user.str());
  out.text("sessionKey", login.session_key).text("redirectTo", login.redirect_to).json("app", app_json(login.app));
  return out.json("contract", login.contract).text("createdAt", iso_time(login.created_at)).str();
}

std::optional<std::string> optional_member(const JsonValue &object, std::string_view name) {
  const auto *value = find_member(object, name);
  return value && value->IsString() ? std::optional<std::string>(text_of(*value)) : std::nullopt;
}

std::string json_member(const JsonValue &object, std::string_view name) {
  const auto *value = find_member(object, name);
  return value ? to_json(*value) : std::string();
}

UnixMs time_member(const JsonValue &object, std::string_view name) {
  std::int64_t out = 0;
  return parse_iso_time(string_member(object, name), out) ? out : 0;
}

AppIdentity app_member(const JsonValue &object) {
  const auto *app = find_member(object, "app");
  if (!app) return {};
  return {std::string(string_member(*app, "contractId")), optional_member(*app, "origin")};
}

std::optional<LoginFlow> read_flow(const KvEntry &entry) {
  const auto record = parse_json(entry.value, {.max_bytes = entry.value.size() + 1});
  if (!record || string_member(*record, "kind") != "login") return std::nullopt;
  LoginFlow out;
  out.flow_id = entry.key;
  out.session_key = string_member(*record, "sessionKey");
  out.redirect_to = string_member(*record, "redirectTo");
  out.app = app_member(*record);
  out.contract = json_member(*record, "contract");
  if (find_member(*record, "context")) out.context = json_member(*record, "context");
  out.portal_id = string_member(*record, "portalId");
  out.auth_token = optional_member(*record, "authToken");
  out.created_at = time_member(*record, "createdAt");
  out.expires_at = time_member(*record, "expiresAt");
  out.revision = entry.revision;
  return out;
}

std::optional<PendingLogin> read_pending(const KvEntry &entry) {
  const auto record = parse_json(entry.value, {.max_bytes = entry.value.size() + 1});
  if (!record) return std::nullopt;
  const auto *identity = find_member(*record, "identity");
  const auto *user = find_member(*record, "user");
  if (!identity || !user) return std::nullopt;
  PendingLogin out;
  out.user_id = string_member(*record, "userId");
  out.identity = {std::string(string_member(*identity, "identityId")),
                  std::string(string_member(*identity, "provider")), std::string(string_member(*identity, "subject"))};
  out.email = optional_member(*user, "email");
  out.name = optional_member(*user, "name");
  out.image = optional_member(*user, "image");
  out.session_key = string_member(*record, "sessionKey");
  out.redirect_to = string_member(*record, "redirectTo");
  out.app = app_member(*record);
  out.contract = json_member(*record, "contract");
  out.created_at = time_member(*record, "createdAt");
  out.token_hash = entry.key;
  out.revision = entry.revision;
  return out;
}

} // namespace

LoginFlows::LoginFlows(Transport &auth) : flows_(auth, kBrowserFlowsBucket), pending_(auth, kPendingAuthBucket) {}

Result<void> LoginFlows::start(const LoginFlow &flow) {
  const auto stored = flows_.create(flow.flow_id, flow_json(flow));
  if (!stored) return tl::make_unexpected(stored.error());
  return {};
}

Result<std::optional<LoginFlow>> LoginFlows::find(std::string_view flow_id) {
  if (!is_flow_id(flow_id)) return std::nullopt;
  const auto entry = flows_.get(flow_id);
  if (!entry) return tl::make_unexpected(entry.error());
  return *entry ? read_flow(**entry) : std::nullopt;
}

Result<bool> LoginFlows::identify(std::string_view flow_id, const PendingLogin &who) {
  const auto token = new_token();
  if (auto stored = pending_.create(opaque_token_hash(token), pending_json(who)); !stored)
    return tl::make_unexpected(stored.error());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto flow = find(flow_id);
    if (!flow) return tl::make_unexpected(flow.error());
    if (!*flow) return false;
    const auto before = std::exchange((*flow)->auth_token, token);
    const auto stored = flows_.update(flow_id, flow_json(**flow), (*flow)->revision);
    if (!stored && stored.error().code == kv_error::kChanged) continue;
    if (!stored) return tl::make_unexpected(stored.error());
    // Nobody can reach the former identity any more; what can't be deleted now goes with its time.
    if (before) (void)pending_.erase(opaque_token_hash(*before));
    return true;
  }
  return fail(kv_error::kChanged, std::string(flow_id), "the flow kept changing", "one sign-in at a time");
}

Result<std::optional<PendingLogin>> LoginFlows::pending(const LoginFlow &flow) {
  if (!flow.auth_token) return std::nullopt;
  const auto entry = pending_.get(opaque_token_hash(*flow.auth_token));
  if (!entry) return tl::make_unexpected(entry.error());
  return *entry ? read_pending(**entry) : std::nullopt;
}

Result<bool> LoginFlows::take(const PendingLogin &login) {
  const auto erased = pending_.erase(login.token_hash, login.revision);
  if (erased) return true;
  if (erased.error().code == kv_error::kChanged) return false;
  return tl::make_unexpected(erased.error());
}

} // namespace trellis::auth
