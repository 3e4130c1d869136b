// POST /auth/flow/:id/approval (04 §10.4): the person's answer. A denial is not stored; an approval becomes an identity
// grant, with what was shown as its evidence.
#include "contracts/authority_json.h"
#include "http_context.h"
#include "http_urls.h"
#include "login_bodies.h"
#include "store/authority.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// Exactly {"approved": bool}.
std::optional<bool> answer_of(const JsonValue &body) {
  const auto *approved = find_member(body, "approved");
  if (!approved || !approved->IsBool() || body.MemberCount() != 1) return std::nullopt;
  return approved->GetBool();
}

RouteResult deny(HttpContext &context, const LoginView &view) {
  const auto taken = context.flows.take(*view.login);
  if (!taken) return tl::make_unexpected(taken.error());
  const auto noted = context.core.db.write([&](Writer &db) -> Result<void> {
    audit(db, context.core.now(), view.login->user_id, "login.deny", view.flow.app.contract_id, "{}");
    return {};
  });
  if (!noted) return tl::make_unexpected(noted.error());
  if (view.over) return view.expired();
  return redirect_state(redirect_location(view.login->redirect_to, {{"authError", "approval_denied"}}));
}

IdentityGrant grant_of(const PendingLogin &login, const LoginPlan &plan, const std::string &anchor, UnixMs now) {
  IdentityGrant out;
  out.identity_grant_id = identity_grant_id(login.user_id, anchor);
  out.user_id = login.user_id;
  out.provider = login.identity.provider;
  out.subject = login.identity.subject;
  out.anchor = anchor;
  out.answered_at = out.updated_at = now;
  out.approval = approval_json(plan.approval);
  out.publish_subjects = plan.approval.publish_subjects;
  out.subscribe_subjects = plan.approval.subscribe_subjects;
  return out;
}

RouteResult grant(HttpContext &context, const LoginView &view, const LoginPlan &plan, const std::string &anchor) {
  const auto now = context.core.now();
  const auto row = grant_of(*view.login, plan, anchor, now);
  const auto stored = context.core.db.write([&](Writer &db) -> Result<void> {
    put_identity_grant(db, row);
    audit(db, now, row.user_id, "login.approve", plan.approval.contract_id,
          JsonObjectText().text("contractDigest", plan.approval.contract_digest).json("anchor", anchor).str());
    return {};
  });
  if (!stored) return tl::make_unexpected(stored.error());
  if (view.over) return view.expired();
  return redirect_state(view.return_location());
}

} // namespace

RouteResult approve_login(HttpContext &context, const HttpRequest &request, const std::string &flow_id) {
  const auto found = view_login(context, flow_id);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found || !(*found)->login) return status_reply("expired");
  const auto &view = **found;
  const auto body = parse_body(request.body);
  if (!body) return invalid_body();
  const auto approved = body->IsObject() ? answer_of(*body) : std::nullopt;
  if (!approved) return error_reply(400, "Invalid approval request");
  const auto plan = plan_login(context.core, view.login->contract);
  if (!plan) return plan_failure(plan.error());
  const auto decision =
      decide_login(context.core, *plan, view.login->app, view.login->session_key, view.login->user_id);
  if (!decision) return plan_failure(decision.error());
  if (!decision->decision.missing.empty()) return insufficient_state(view, *plan, *decision);
  return *approved ? grant(context, view, *plan, decision->anchor) : deny(context, view);
}

} // namespace trellis::auth
