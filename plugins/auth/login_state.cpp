// GET /auth/flow/:id (04 §10.1): what the portal is to show next.
#include "http_context.h"
#include "login_bodies.h"

namespace trellis::auth {

RouteResult login_state(HttpContext &context, const HttpRequest &, const std::string &flow_id) {
  const auto found = view_login(context, flow_id);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found) return status_reply("expired");
  const auto &view = **found;
  if (view.over) return view.expired();
  if (!view.flow.auth_token) return choose_provider_state(context.core.config, view.flow);
  if (!view.login) return view.expired();
  const auto plan = plan_login(context.core, view.login->contract);
  if (!plan) return plan_failure(plan.error());
  const auto decision =
      decide_login(context.core, *plan, view.login->app, view.login->session_key, view.login->user_id);
  if (!decision) return plan_failure(decision.error());
  if (decision->redirects()) return redirect_state(view.return_location());
  if (!decision->decision.missing.empty()) return insufficient_state(view, *plan, *decision);
  return approval_state(view, *plan);
}

} // namespace trellis::auth
