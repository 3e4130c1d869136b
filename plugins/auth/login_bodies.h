// The states of a login flow as the portal reads them (04 §10.1).
#pragma once

#include "http_context.h"
#include "login_decision.h"
#include <optional>
#include <string>

namespace trellis::auth {

// A flow with what is known about it now.
struct LoginView {
  LoginFlow flow;
  std::optional<PendingLogin> login;
  bool over = false; // past its time
  // The redirectTo with the flow id (L of 04 §10.1).
  std::string return_location() const;
  HttpResponse expired() const; // with returnLocation
};
// nullopt: no login flow of that id.
Result<std::optional<LoginView>> view_login(HttpContext &context, std::string_view flow_id);

HttpResponse choose_provider_state(const ControlPlaneConfig &config, const LoginFlow &flow);
HttpResponse insufficient_state(const LoginView &view, const LoginPlan &plan, const LoginDecision &decision);
HttpResponse approval_state(const LoginView &view, const LoginPlan &plan);
HttpResponse redirect_state(const std::string &location);

// 409 T for a contract that can't be planned any more; an unexpected failure otherwise.
RouteResult plan_failure(const Error &problem);

} // namespace trellis::auth
