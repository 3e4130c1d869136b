// POST /auth/flow/:id/bind (04 §10.5): the session key that began the login takes the session.
#include "contracts/authority_json.h"
#include "http_context.h"
#include "login_bodies.h"
#include "login_sessions.h"
#include "wire/login_proofs.h"
#include "wire/session_key.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

HttpResponse insufficient(const LoginPlan &plan, const ApprovalDecision &decision) {
  return json_reply(200, JsonObjectText()
                             .text("status", "insufficient_capabilities")
                             .json("approval", approval_json(plan.approval))
                             .texts("missingCapabilities", decision.missing)
                             .texts("userCapabilities", decision.effective)
                             .str());
}

// nullopt: nothing stands in the way.
std::optional<HttpResponse> objection(const LoginPlan &plan, const LoginDecision &decision) {
  if (!decision.decision.missing.empty()) return insufficient(plan, decision.decision);
  if (decision.decision.source == ApprovalDecision::Source::none) return text_reply(403, "approval_required");
  if (!decision.decision.approved) return text_reply(403, "approval_denied");
  if (decision.blocked()) return text_reply(403, "user_inactive");
  return std::nullopt;
}

std::optional<HttpResponse> proof_objection(const JsonValue &body, const PendingLogin &login,
                                            std::string_view flow_id) {
  const auto key = string_member(body, "sessionKey");
  const auto signature = string_member(body, "sig");
  if (!secret_equal(as_bytes(key), as_bytes(login.session_key))) return text_reply(400, "Session key mismatch");
  if (!verify_domain(key, domain::kBindFlow, flow_id, signature)) return text_reply(400, "Invalid signature");
  return std::nullopt;
}

} // namespace

RouteResult bind_login(HttpContext &context, const HttpRequest &request, const std::string &flow_id) {
  const auto found = view_login(context, flow_id);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found || !(*found)->flow.auth_token) return status_reply("expired");
  const auto body = parse_body(request.body);
  if (!body) return invalid_body();
  if (!is_session_key_text(string_member(*body, "sessionKey")) || !is_signature_text(string_member(*body, "sig")))
    return error_reply(400, "Invalid bind request");
  if (!(*found)->login) return status_reply("expired");
  const auto &login = *(*found)->login;
  if (const auto wrong = proof_objection(*body, login, flow_id)) return *wrong;
  const auto plan = plan_login(context.core, login.contract);
  if (!plan) return plan_failure(plan.error());
  const auto decision = decide_login(context.core, *plan, login.app, login.session_key, login.user_id);
  if (!decision) return plan_failure(decision.error());
  if (const auto wrong = objection(*plan, *decision)) return *wrong;
  auto session =
      session_of(context.core, *plan, login.app, login.user_id, login.session_key, decision->decision.source);
  if (!session) return plan_failure(session.error());
  const auto taken = context.flows.take(login);
  if (!taken) return tl::make_unexpected(taken.error());
  if (!*taken) return text_reply(400, "authtoken_already_used");
  session->identity = login.identity;
  session->email = login.email_or_identity();
  session->name = login.name_or_subject();
  session->image = login.image;
  return store_session(context, login.session_key, std::move(*session), plan->contract, &login);
}

} // namespace trellis::auth
