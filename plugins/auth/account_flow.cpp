#include "account_flow.h"

#include "http_context.h"
#include "login_portal.h"
#include "wire/login_proofs.h"
#include "wire/ulid.h"
#include <algorithm>

namespace trellis::auth {
namespace {

HttpResponse ended_state(const AccountFlow &flow, std::string_view status) {
  JsonObjectText out;
  out.text("status", status).text("kind", flow.kind);
  if (flow.target_user_id) out.text("targetUserId", *flow.target_user_id);
  if (flow.return_to) out.text("returnTo", *flow.return_to);
  return json_reply(200, out.str());
}

std::string target_object(const User &user) {
  JsonObjectText out;
  out.text("userId", user.user_id);
  if (user.name) out.text("name", *user.name);
  if (user.email) out.text("email", *user.email);
  return out.flag("active", user.active).str();
}

bool has_local(const std::vector<Identity> &identities) {
  return std::any_of(identities.begin(), identities.end(),
                     [](const Identity &identity) { return identity.provider == "local"; });
}

std::string allowed_providers(const ControlPlaneConfig &config, const AccountFlow &flow, bool local) {
  std::string out = "[";
  const auto add = [&](std::string_view id, std::string_view name) {
    if (allows_provider(flow, id)) out += (out.size() > 1 ? "," : "") + provider_json(id, name);
  };
  if (local) add("local", kLocalProviderName);
  for (const auto &provider : config.providers)
    add(provider.id, provider.display_name);
  return out + "]";
}

std::string names_json(const std::optional<Names> &names) {
  if (!names) return "null";
  const auto object = JsonObjectText().texts("x", *names).str(); // {"x":[…]}
  return object.substr(5, object.size() - 6);
}

struct Found {
  std::optional<AccountFlow> flow;
  std::optional<User> target;
  bool target_has_local = false;
};

Found find_flow(Reader &db, std::string_view flow_id) {
  Found out;
  out.flow = find_account_flow(db, opaque_token_hash(flow_id));
  if (!out.flow || !out.flow->target_user_id) return out;
  out.target = find_user(db, *out.flow->target_user_id);
  out.target_has_local = has_local(identities_of(db, *out.flow->target_user_id));
  return out;
}

HttpResponse active_state(const ControlPlaneConfig &config, const std::string &flow_id, const Found &found) {
  const auto &flow = *found.flow;
  const bool reset = flow.kind == "local_password_reset";
  const bool local = !(flow.kind == "identity_link" && found.target_has_local);
  JsonObjectText out;
  out.text("status", "active").text("flowId", flow_id).text("kind", flow.kind);
  if (flow.target_user_id) out.text("targetUserId", *flow.target_user_id);
  if (flow.return_to) out.text("returnTo", *flow.return_to);
  out.json("allowedProviders", names_json(flow.allowed_providers));
  out.json("profileHint", reset ? "null" : flow.profile_hint.value_or("null"));
  out.text("expiresAt", iso_time(flow.expires_at));
  out.json("passwordPolicy", JsonObjectText().number("minLength", config.password_min_length).str());
  out.json("providers", allowed_providers(config, flow, local));
  if (found.target) out.json("target", target_object(*found.target));
  return json_reply(200, out.str());
}

} // namespace

std::optional<std::string> kept_return_to(std::string_view return_to) {
  const auto from = return_to.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return std::nullopt;
  const auto path = return_to.substr(from, return_to.find_last_not_of(" \t\r\n") - from + 1);
  if (!path.starts_with('/') || path.starts_with("//") || path.starts_with("/\\")) return std::nullopt;
  return std::string(path);
}

bool allows_provider(const AccountFlow &flow, std::string_view provider) {
  if (!flow.allowed_providers) return true;
  const auto &allowed = *flow.allowed_providers;
  return std::find(allowed.begin(), allowed.end(), provider) != allowed.end();
}

std::string new_password_reset(AccountFlow &flow, const Identity &identity, UnixMs now, UnixMs lives_ms) {
  auto secret = new_secret_ulid();
  flow.flow_id_hash = opaque_token_hash(secret);
  flow.kind = "local_password_reset";
  flow.target_user_id = identity.user_id;
  flow.target_identity_id = identity.identity_id;
  flow.target_local_username = identity.subject;
  flow.allowed_providers = Names{"local"};
  flow.created_at = now;
  flow.expires_at = now + lives_ms;
  return secret;
}

RouteResult account_flow_state(HttpContext &context, const std::string &flow_id) {
  const auto found = context.core.db.read([&](Reader &db) { return find_flow(db, flow_id); });
  if (!found) return tl::make_unexpected(found.error());
  if (!found->flow) return status_reply("expired");
  if (found->flow->consumed_at) return ended_state(*found->flow, "consumed");
  if (found->flow->expires_at <= context.core.now()) return ended_state(*found->flow, "expired");
  return active_state(context.core.config, flow_id, *found);
}

} // namespace trellis::auth
