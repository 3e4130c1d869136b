#include "login_bodies.h"

#include "http_urls.h"
#include "login_portal.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// Without participantKind, which only bind tells (04 §10.1, §10.5).
std::string approval_object(const ApprovalPlan &plan) {
  JsonObjectText capabilities;
  for (const auto &[key, text] : plan.capabilities) {
    JsonObjectText entry;
    entry.text("displayName", text.display_name).text("description", text.description);
    if (text.consequence) entry.text("consequence", *text.consequence);
    capabilities.json(key, entry.str());
  }
  return JsonObjectText()
      .text("contractId", plan.contract_id)
      .text("contractDigest", plan.contract_digest)
      .text("displayName", plan.display_name)
      .text("description", plan.description)
      .json("capabilities", capabilities.str())
      .str();
}

std::string user_object(const PendingLogin &login, bool with_email) {
  JsonObjectText out;
  out.text("origin", login.identity.provider).text("id", login.identity.subject).text("name", login.name_or_subject());
  if (with_email) out.text("email", login.email_or_identity());
  return out.str();
}

std::string app_object(const ControlPlaneConfig &config, const LoginFlow &flow) {
  const auto contract = parse_json(flow.contract, {.max_bytes = flow.contract.size() + 1});
  const auto text_or = [&](std::string_view name, std::string_view otherwise) {
    const auto text = contract ? string_member(*contract, name) : std::string_view();
    return std::string(text.empty() ? otherwise : text);
  };
  JsonObjectText out;
  out.text("contractId", text_or("id", "unknown")).text("contractDigest", "unknown");
  out.text("displayName", text_or("displayName", config.instance_name));
  out.text("description", text_or("description", config.instance_name));
  if (flow.context) out.json("context", *flow.context);
  return out.str();
}

std::string registration_object(const ControlPlaneConfig &config) {
  const auto local = JsonObjectText().flag("available", config.local_identity).str();
  const auto federated = JsonObjectText()
                             .flag("available", !config.providers.empty())
                             .json("providers", federated_providers_json(config))
                             .str();
  return JsonObjectText().json("localIdentity", local).json("federatedIdentity", federated).str();
}

} // namespace

std::string LoginView::return_location() const {
  return redirect_location(login ? login->redirect_to : flow.redirect_to, {{"flowId", flow.flow_id}});
}

HttpResponse LoginView::expired() const {
  return json_reply(200, JsonObjectText()
                             .text("status", "expired")
                             .text("returnLocation", login ? return_location() : flow.redirect_to)
                             .str());
}

Result<std::optional<LoginView>> view_login(HttpContext &context, std::string_view flow_id) {
  auto flow = context.flows.find(flow_id);
  if (!flow) return tl::make_unexpected(flow.error());
  if (!*flow) return std::nullopt;
  auto login = context.flows.pending(**flow);
  if (!login) return tl::make_unexpected(login.error());
  const bool over = (*flow)->expires_at <= context.core.now();
  return LoginView{std::move(**flow), std::move(*login), over};
}

HttpResponse choose_provider_state(const ControlPlaneConfig &config, const LoginFlow &flow) {
  return json_reply(200, JsonObjectText()
                             .text("status", "choose_provider")
                             .text("flowId", flow.flow_id)
                             .json("providers", providers_json(config))
                             .json("app", app_object(config, flow))
                             .json("portal", builtin_portal_json())
                             .json("registration", registration_object(config))
                             .str());
}

HttpResponse insufficient_state(const LoginView &view, const LoginPlan &plan, const LoginDecision &decision) {
  return json_reply(200, JsonObjectText()
                             .text("status", "insufficient_capabilities")
                             .text("flowId", view.flow.flow_id)
                             .json("user", user_object(*view.login, false))
                             .json("approval", approval_object(plan.approval))
                             .texts("missingCapabilities", decision.decision.missing)
                             .texts("userCapabilities", decision.user ? decision.user->capabilities : Names{})
                             .text("returnLocation", view.return_location())
                             .str());
}

HttpResponse approval_state(const LoginView &view, const LoginPlan &plan) {
  return json_reply(200, JsonObjectText()
                             .text("status", "approval_required")
                             .text("flowId", view.flow.flow_id)
                             .json("user", user_object(*view.login, true))
                             .json("approval", approval_object(plan.approval))
                             .str());
}

HttpResponse redirect_state(const std::string &location) {
  return json_reply(200, JsonObjectText().text("status", "redirect").text("location", location).str());
}

RouteResult plan_failure(const Error &problem) {
  if (problem.code == kPlanRefused) return text_reply(409, problem.text());
  return tl::make_unexpected(problem);
}

} // namespace trellis::auth
