// May this user sign in with this contract, and need they be asked (04 §9)? The facts come from the database, the
// decision from sdk/contracts.
#pragma once

#include "contracts/authority_plan.h"
#include "core.h"
#include "login_flow.h"
#include "store/authority.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

// Code of errors about the contract itself; their message is the text for the client (409 T). Others are failures.
inline constexpr char kPlanRefused[] = "plan_refused";

// The plan of a contract (04 §9.1).
struct LoginPlan {
  Manifest contract;
  ApprovalPlan approval;
};
Result<LoginPlan> plan_login(Core &core, const Manifest &contract);
Result<LoginPlan> plan_login(Core &core, std::string_view normalized_contract);

struct LoginDecision {
  std::optional<User> user; // as stored now
  ApprovalDecision decision;
  std::string anchor; // JSON
  // 04 §9.3: the only blocker is an account that is inactive (or gone).
  bool blocked() const { return !user || !user->active; }
  bool approved() const { return decision.source != ApprovalDecision::Source::none && decision.approved; }
  bool redirects() const { return approved() && decision.missing.empty() && !blocked(); }
};
Result<LoginDecision> decide_login(Core &core, const LoginPlan &plan, const AppIdentity &app,
                                   std::string_view session_key, std::string_view user_id);

// 04 §9.4: may a session that exists take the contract over without a login?
Result<bool> may_bind_at_once(Core &core, const LoginPlan &plan, const AppIdentity &app, const Session &session);

// The session that a login with this plan gives (03 §8.2), without created_at and last_auth.
Result<UserSession> session_of(Core &core, const LoginPlan &plan, const AppIdentity &app, std::string_view user_id,
                               std::string_view session_key, ApprovalDecision::Source source);

} // namespace trellis::auth
