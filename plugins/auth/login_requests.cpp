// POST /auth/requests (04 §8): check who asks and for what, then bind at once or start a login flow.
#include "catalog.h"
#include "http_context.h"
#include "http_urls.h"
#include "login_decision.h"
#include "login_portal.h"
#include "login_sessions.h"
#include "store/sessions.h"
#include "wire/app_identity.h"
#include "wire/login_proofs.h"
#include "wire/redirect.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// A refusal of the client, on its way to becoming a response.
using Refusal = tl::unexpected<HttpResponse>;
Refusal refuse(int status, std::string_view text) {
  return Refusal(text_reply(status, text));
}

struct LoginRequest {
  std::string redirect_to, session_key, provider;
  std::optional<std::string> digest, context;
  const JsonValue *contract = nullptr; // in the body
};

bool is_digest(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && c != '-' && c != '_') return false;
  }
  return true;
}

// A path by the letter of the protocol that a browser reads as another host: "/\\host", and "//host" with a tab or line
// break in it, which browsers drop (04 §8.2 advises to refuse them).
bool names_a_host(std::string_view path) {
  std::string seen;
  for (const char c : path.substr(0, 64))
    if (c != '\t' && c != '\r' && c != '\n') seen += c;
  return seen.starts_with("//") || seen.starts_with("/\\");
}

// 04 §8.1. False: a member of another kind.
bool read_optional(const JsonValue &body, LoginRequest &out) {
  const auto *provider = find_member(body, "provider");
  if (provider && text_of(*provider).empty()) return false;
  if (provider) out.provider = text_of(*provider);
  const auto *digest = find_member(body, "contractDigest");
  if (digest && !is_digest(text_of(*digest))) return false;
  if (digest) out.digest = std::string(text_of(*digest));
  out.contract = find_member(body, "contract");
  if (out.contract && !out.contract->IsObject()) return false;
  const auto *context = find_member(body, "context");
  if (context && !context->IsObject()) return false;
  if (context) out.context = to_json(*context);
  return true;
}

tl::expected<LoginRequest, HttpResponse> check_request(const ControlPlaneConfig &config, const JsonValue &body) {
  LoginRequest out;
  const auto *redirect = find_member(body, "redirectTo");
  out.session_key = string_member(body, "sessionKey");
  const auto signature = string_member(body, "sig");
  if (!redirect || !redirect->IsString() || !is_session_key_text(out.session_key) || !is_signature_text(signature) ||
      !read_optional(body, out))
    return refuse(400, "Invalid request");
  auto redirect_to = validate_redirect(text_of(*redirect), config.origins);
  if (!redirect_to || names_a_host(*redirect_to)) return refuse(400, "Invalid redirectTo");
  out.redirect_to = std::move(*redirect_to);
  if (!out.provider.empty() && !find_provider(config, out.provider)) return refuse(400, "Unknown provider");
  if (!out.contract && !out.digest) return refuse(400, "A contract or its digest is needed");
  OauthInit signed_part{out.redirect_to, out.provider, out.contract, out.digest ? std::string_view(*out.digest) : "",
                        find_member(body, "context")};
  const auto value = oauth_init_value(signed_part);
  if (!value || !verify_domain(out.session_key, domain::kOauthInit, *value, signature))
    return refuse(400, "Invalid signature");
  return out;
}

// 04 §8.3: the contract that is asked for.
Result<std::optional<Manifest>> known_contract(Core &core, std::string_view digest) {
  return core.db.read([&](Reader &db) { return core.catalog.find(db, digest); });
}

HttpResponse plan_refusal(const Error &problem) {
  return text_reply(409, problem.text());
}

RouteResult start_flow(HttpContext &context, const HttpRequest &http, const LoginRequest &request,
                       const LoginPlan &plan, const AppIdentity &app) {
  const auto &config = context.core.config;
  LoginFlow flow;
  flow.flow_id = new_secret_ulid();
  flow.session_key = request.session_key;
  flow.redirect_to = request.redirect_to;
  flow.app = app;
  flow.contract = plan.contract.normalized();
  flow.context = request.context;
  flow.portal_id = kBuiltinPortal;
  flow.created_at = context.core.now();
  flow.expires_at = flow.created_at + static_cast<UnixMs>(config.ttl_ms.oauth);
  const auto stored = context.flows.start(flow);
  // A flow is one message of the bucket.
  if (!stored && stored.error().code == transport_error::kTooLarge) return error_reply(413, "contract_too_large");
  if (!stored) return tl::make_unexpected(stored.error());
  const auto *direct = direct_provider(config, request.provider);
  const auto url = direct ? portal_url(http.request_origin, "/auth/login/" + direct->id, {{"flowId", flow.flow_id}})
                          : login_portal_url(config, flow.flow_id);
  return json_reply(
      200, JsonObjectText().text("status", "flow_started").text("flowId", flow.flow_id).text("loginUrl", url).str());
}

// A changed contract of a session that may have it keeps what its login said about the person and the approval.
RouteResult bind_at_once(HttpContext &context, const LoginPlan &plan, const AppIdentity &app, const Session &before) {
  const auto &user = *before.user();
  auto fresh = session_of(context.core, plan, app, user.user_id, before.session_key, ApprovalDecision::Source::none);
  if (!fresh) return tl::make_unexpected(fresh.error());
  fresh->identity = user.identity;
  fresh->email = user.email;
  fresh->name = user.name;
  fresh->image = user.image;
  fresh->identity_grant_id = user.identity_grant_id;
  fresh->approval_source = user.approval_source;
  return store_session(context, before.session_key, std::move(*fresh), plan.contract, nullptr);
}

} // namespace

RouteResult start_login(HttpContext &context, const HttpRequest &request) {
  const auto body = parse_body(request.body);
  if (!body) return invalid_body();
  const auto asked = check_request(context.core.config, *body);
  if (!asked) return asked.error();
  std::optional<Manifest> contract;
  if (asked->contract) {
    auto valid = Manifest::validate(*asked->contract);
    if (!valid) return plan_refusal(valid.error());
    contract = std::move(*valid);
  } else {
    auto known = known_contract(context.core, *asked->digest);
    if (!known) return tl::make_unexpected(known.error());
    if (!*known) return text_reply(409, "manifest_required");
    contract = std::move(*known);
  }
  const auto plan = plan_login(context.core, *contract);
  if (!plan)
    return plan.error().code == kPlanRefused ? RouteResult(plan_refusal(plan.error()))
                                             : RouteResult(tl::make_unexpected(plan.error()));
  const auto app = app_identity(contract->id(), asked->redirect_to);
  const auto session = live_session(context.core, asked->session_key);
  if (!session) return tl::make_unexpected(session.error());
  if (*session) {
    const auto at_once = may_bind_at_once(context.core, *plan, app, **session);
    if (!at_once && at_once.error().code != kPlanRefused) return tl::make_unexpected(at_once.error());
    if (at_once && *at_once) return bind_at_once(context, *plan, app, **session);
  }
  return start_flow(context, request, *asked, *plan, app);
}

} // namespace trellis::auth
