// The two routes of a session that exists: what a client needs to connect (04 §6), and its end (04 §12).
#include "catalog.h"
#include "http_context.h"
#include "http_urls.h"
#include "login_sessions.h"
#include "principals.h"
#include "session_ends.h"
#include "wire/login_proofs.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include <algorithm>
#include <cmath>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

HttpResponse auth_required(const Core &core) {
  return json_reply(200,
                    JsonObjectText().text("status", "auth_required").number("serverNow", core.now_seconds()).str());
}

// 04 §6: account and contract of the session are as they were at bind. nullopt: the session has to go.
struct Welcome {
  Manifest contract;
};
Result<std::optional<Welcome>> welcome_of(Core &core, const UserSession &session) {
  return core.db.read([&](Reader &db) -> std::optional<Welcome> {
    const auto user = find_user(db, session.user_id);
    if (!user || !user->active) return std::nullopt;
    const auto held = resolved_capabilities(db, *user);
    const auto holds = [&](const std::string &key) { return std::find(held.begin(), held.end(), key) != held.end(); };
    if (!std::all_of(session.capabilities.begin(), session.capabilities.end(), holds)) return std::nullopt;
    const auto contract = core.catalog.find(db, session.contract_digest);
    if (!contract || contract->id() != session.contract_id) return std::nullopt;
    if (contract->kind() != ContractKind::app && contract->kind() != ContractKind::agent) return std::nullopt;
    return Welcome{*contract};
  });
}

std::string contract_object(const UserSession &session, const Manifest &contract) {
  JsonObjectText out;
  out.text("id", session.contract_id).text("digest", session.contract_digest);
  out.text("displayName", session.contract_display_name).text("description", session.contract_description);
  const auto manifest = parse_json(contract.normalized(), {.max_bytes = contract.normalized().size() + 1});
  for (const auto *name : {"jobs", "resources"})
    if (const auto *member = manifest ? find_member(*manifest, name) : nullptr) out.json(name, to_json(*member));
  return out.str();
}

std::string user_object(const UserSession &session) {
  const auto identity = JsonObjectText()
                            .text("identityId", session.identity.identity_id)
                            .text("provider", session.identity.provider)
                            .text("subject", session.identity.subject)
                            .str();
  JsonObjectText out;
  out.text("userId", session.user_id).json("identity", identity);
  out.text("email", session.email).text("name", session.name);
  if (session.image) out.text("image", *session.image);
  return out.str();
}

std::string binding_object(const UserSession &session) {
  return JsonObjectText()
      .text("contractId", session.contract_id)
      .text("digest", session.contract_digest)
      .texts("capabilities", session.capabilities)
      .texts("publishSubjects", session.publish_subjects)
      .texts("subscribeSubjects", session.subscribe_subjects)
      .str();
}

HttpResponse ready(const HttpContext &context, const std::string &session_key, const UserSession &session,
                   const Manifest &contract) {
  const auto transport =
      JsonObjectText().text("inboxPrefix", inbox_prefix(session_key)).json("sentinel", context.sentinel_json).str();
  const auto connect = JsonObjectText()
                           .text("sessionKey", session_key)
                           .text("contractId", session.contract_id)
                           .text("contractDigest", session.contract_digest)
                           .json("transports", context.transports_json)
                           .json("transport", transport)
                           .str();
  return json_reply(200, JsonObjectText()
                             .text("status", "ready")
                             .number("serverNow", context.core.now_seconds())
                             .json("connectInfo", connect)
                             .json("contract", contract_object(session, contract))
                             .json("user", user_object(session))
                             .json("binding", binding_object(session))
                             .str());
}

// A member of another kind makes the request invalid; an absent one is fine.
bool read_flag(const JsonValue &body, std::string_view name, std::optional<bool> &out) {
  const auto *value = find_member(body, name);
  if (value && value->IsBool()) out = value->GetBool();
  return !value || value->IsBool();
}

bool read_text(const JsonValue &body, std::string_view name, std::optional<std::string> &out) {
  if (!find_member(body, name)) return true;
  out = nonempty_text(body, name);
  return out.has_value();
}

std::optional<LogoutRequest> logout_request(const JsonValue &body) {
  LogoutRequest out;
  const auto iat = number_member(body, "iat");
  if (!iat || *iat != std::floor(*iat)) return std::nullopt;
  out.iat = *iat;
  if (!read_flag(body, "providerLogout", out.provider_logout)) return std::nullopt;
  if (!read_flag(body, "federatedProviderLogout", out.federated_provider_logout)) return std::nullopt;
  if (!read_text(body, "returnTo", out.return_to)) return std::nullopt;
  if (!read_text(body, "responseMode", out.response_mode)) return std::nullopt;
  if (out.response_mode && *out.response_mode != "json" && *out.response_mode != "redirect") return std::nullopt;
  return out;
}

HttpResponse logged_out(const LogoutRequest &request) {
  if (request.response_mode == "redirect") {
    auto out = empty_reply(request.return_to ? 303 : 204);
    if (request.return_to) set_header(out, "Location", *request.return_to);
    return out;
  }
  JsonObjectText body;
  body.flag("success", true);
  if (request.return_to) body.text("redirectTo", *request.return_to);
  return json_reply(200, body.str());
}

} // namespace

RouteResult bootstrap_client(HttpContext &context, const HttpRequest &request) {
  auto &core = context.core;
  const auto body = parse_body(request.body);
  if (!body) return invalid_body();
  const std::string key(string_member(*body, "sessionKey"));
  const auto signature = string_member(*body, "sig");
  const auto iat = number_member(*body, "iat");
  if (!is_session_key_text(key) || !is_signature_text(signature) || !iat) return reason_reply(400, "invalid_request");
  if (!is_fresh(core.now_seconds(), *iat)) return stale_reply(core.now_seconds());
  if (!verify_domain(key, domain::kBootstrapClient, bootstrap_client_value(*iat), signature))
    return reason_reply(400, "invalid_signature");
  const auto session = live_session(core, key);
  if (!session) return tl::make_unexpected(session.error());
  const auto *user = *session ? (*session)->user() : nullptr;
  if (!user) return auth_required(core);
  const auto welcome = welcome_of(core, *user);
  if (!welcome) return tl::make_unexpected(welcome.error());
  if (*welcome) return ready(context, key, *user, (*welcome)->contract);
  if (auto ended = end_sessions(core, context.connections, {key}, ""); !ended)
    return tl::make_unexpected(ended.error());
  return auth_required(core);
}

RouteResult logout_session(HttpContext &context, const HttpRequest &request) {
  auto &core = context.core;
  const auto body = parse_body(request.body);
  const std::string key(body ? string_member(*body, "sessionKey") : std::string_view());
  const auto signature = body ? string_member(*body, "sig") : std::string_view();
  const auto asked = body ? logout_request(*body) : std::nullopt;
  if (!asked || !is_session_key_text(key) || !is_signature_text(signature) || !is_fresh(core.now_seconds(), asked->iat))
    return error_reply(400, "invalid_logout_request");
  if (!verify_domain(key, domain::kLogoutSession, logout_session_value(*asked), signature))
    return error_reply(401, "invalid_logout_signature");
  const auto session = live_session(core, key);
  if (!session) return tl::make_unexpected(session.error());
  if (!*session) return error_reply(401, "logout_session_not_found");
  const auto *user = (*session)->user();
  if (asked->return_to &&
      !valid_return_to(*asked->return_to, user ? user->app_origin : std::nullopt, core.config.origins))
    return error_reply(400, "invalid_return_to");
  if (auto ended = end_sessions(core, context.connections, {key}, ""); !ended)
    return tl::make_unexpected(ended.error());
  return logged_out(*asked);
}

} // namespace trellis::auth
