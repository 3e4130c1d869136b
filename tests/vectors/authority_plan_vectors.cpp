// Kinds classify, accept, capabilityGroups and approval of authority-plan (README §3.2).
#include "authority_cases.h"
#include "contracts/authority_accept.h"
#include "contracts/authority_plan.h"
#include "output.h"
#include "wire/app_identity.h"
#include "wire/ulid.h"

#include <algorithm>
#include <chrono>

namespace trellis::vectors {
namespace {

// ---------------------------------------------------------------- reading and writing

std::vector<std::string> texts_of(const JsonValue *array) {
  std::vector<std::string> out;
  if (array)
    for (const auto &item : array->GetArray())
      out.emplace_back(text_of(item));
  return out;
}

std::optional<std::string> text_at(const JsonValue &object, std::string_view member) {
  const auto *value = find_member(object, member);
  return value && value->IsString() ? std::optional<std::string>(text_of(*value)) : std::nullopt;
}

JsonDocument of_needs(const Needs &needs) {
  return value_of(parse_json(needs_json(needs)), "needs");
}

JsonDocument of_desired_state(const DesiredState &desired) {
  return value_of(parse_json(desired_state_json(desired)), "desired state");
}

Groups groups_of(const JsonValue *list) {
  Groups groups;
  if (!list) return groups;
  for (const auto &group : list->GetArray())
    groups[std::string(string_member(group, "groupKey"))] = {texts_of(find_member(group, "capabilities")),
                                                             texts_of(find_member(group, "includedGroups"))};
  return groups;
}

// ---------------------------------------------------------------- classify

JsonDocument run_classify(const Input &input, const CaseContext &) {
  const auto fit = classify(value_of(needs_from_json(input.at("current")), "current"),
                            value_of(needs_from_json(input.at("requested")), "requested"));
  Output out;
  out.text("classification", fit.migration ? "migration" : "update");
  out.json("desiredChange", of_needs(fit.desired_change)).flag("fits", fit.fits);
  out.json("missingAvailability", of_needs(fit.missing_availability));
  out.texts("missingCapabilities", fit.missing_capabilities).flag("planRequired", fit.plan_required);
  return out.take();
}

// ---------------------------------------------------------------- accept

AcceptPlan plan_of(const JsonValue &value) {
  const auto &proposal = value["proposal"];
  AcceptPlan plan;
  plan.plan_id = string_member(value, "planId");
  plan.state = string_member(value, "state", "pending");
  plan.migration = string_member(value, "classification") == "migration";
  plan.expires_at = text_at(value, "expiresAt");
  plan.contract_id = string_member(proposal, "contractId");
  plan.requested = value_of(needs_from_json(proposal["requestedNeeds"]), "requestedNeeds");
  plan.provided = value_of(surfaces_from_json(proposal["providedSurfaces"]), "providedSurfaces");
  if (const auto *change = find_member(value, "desiredChange"))
    if (auto needs = needs_from_json(*change)) plan.desired_change = std::move(*needs);
  if (const auto *summary = find_member(proposal, "summary"))
    plan.desired_version = text_at(*summary, "desiredVersion");
  return plan;
}

std::optional<AcceptPlan> optional_plan(const JsonValue *value) {
  return value && value->IsObject() ? std::optional(plan_of(*value)) : std::nullopt;
}

std::optional<AcceptAuthority> optional_authority(const JsonValue *value) {
  if (!value || !value->IsObject()) return std::nullopt;
  return AcceptAuthority{std::string(string_member(*value, "version")),
                         value_of(desired_state_from_json((*value)["desiredState"]), "desiredState")};
}

std::string now_text() {
  using namespace std::chrono;
  return iso_time(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

bool may_decide(const JsonValue *caller) {
  if (!caller) return true;
  const auto capabilities = texts_of(find_member(*caller, "capabilities"));
  return string_member(*caller, "type") == "user" &&
         std::find(capabilities.begin(), capabilities.end(), "admin") != capabilities.end();
}

// The control plane turns code "validation" into a ValidationError with `where` as its path (05 §6.6).
JsonDocument of_refusal(const char *type, const char *member, std::string_view value, const AcceptPlan *plan,
                        const CaseContext &context) {
  Output error;
  error.text("type", type).text(member, value);
  if (const auto *expected = find_member(*context.expected, "error"))
    if (const auto *condition = find_member(*expected, "condition")) error.json("condition", *condition);
  Output out;
  out.json("error", std::move(error));
  if (plan) out.text("planState", plan->state);
  return out.take();
}

JsonDocument run_accept(const Input &input, const CaseContext &context) {
  const auto &asked = input.at("request");
  const AcceptRequest request{std::string(string_member(asked, "planId")), input.text("method") == "AcceptMigration",
                              text_at(asked, "expectedDesiredVersion"),
                              std::string(string_member(asked, "acknowledgement"))};
  const auto plan = optional_plan(input.find("plan"));
  const auto authority = optional_authority(input.find("authority"));
  const auto *plan_given = plan ? &*plan : nullptr;
  if (!may_decide(input.find("caller")))
    return of_refusal("AuthError", "reason", "insufficient_permissions", plan_given, context);

  const auto desired = decide_accept(request, plan_given, authority ? &*authority : nullptr, now_text());
  if (!desired) {
    if (desired.error().code != "validation") throw std::runtime_error(desired.error().text());
    return of_refusal("ValidationError", "path", desired.error().where, plan_given, context);
  }
  Output out;
  out.json("responseDesiredState", of_desired_state(*desired));
  out.json("storedDesiredState", of_desired_state(folded(*desired)));
  out.flag("versionChanged", true).text("planState", "accepted").text("decisionReason", decision_reason(request));
  return out.take();
}

// ---------------------------------------------------------------- capabilityGroups, approval

JsonDocument run_groups(const Input &input, const CaseContext &) {
  const auto &grant = input.at("grant");
  return Output()
      .texts("capabilities", resolve_capabilities(texts_of(find_member(grant, "capabilities")),
                                                  texts_of(find_member(grant, "capabilityGroups")),
                                                  groups_of(input.find("storedGroups"))))
      .take();
}

void add_deployment(ApprovalFacts &facts, const JsonValue &deployment) {
  facts.enabled.push_back(value_of(desired_state_from_json(deployment["desiredState"]), "desiredState"));
  const auto *overrides = find_member(deployment, "grantOverrides");
  if (!overrides) return;
  for (const auto &entry : overrides->GetArray())
    facts.overrides.push_back({std::string(string_member(entry, "contractId")), text_at(entry, "origin"),
                               text_at(entry, "sessionPublicKey"), text_at(entry, "capability"),
                               text_at(entry, "capabilityGroupKey")});
}

ApprovalFacts facts_of(const Input &input) {
  ApprovalFacts facts;
  const auto &user = input.at("user");
  facts.user_capabilities = texts_of(find_member(user, "capabilities"));
  facts.user_groups = texts_of(find_member(user, "capabilityGroups"));
  facts.groups = groups_of(input.find("storedGroups"));
  facts.known = known_contracts(input.at("knownContracts"));
  facts.builtin = builtin();
  for (const auto &deployment : input.at("deployments").GetArray())
    if (const auto *disabled = find_member(deployment, "disabled"); !disabled || !disabled->IsTrue())
      add_deployment(facts, deployment);
  for (const auto &grant : input.at("storedGrants").GetArray())
    facts.grants.push_back({to_json(grant["identityAnchor"]), string_member(grant, "answer") == "approved",
                            texts_of(find_member(grant, "capabilities")),
                            texts_of(find_member(grant, "publishSubjects")),
                            texts_of(find_member(grant, "subscribeSubjects"))});
  return facts;
}

Output of_approval(const ApprovalDecision &decision) {
  using Source = ApprovalDecision::Source;
  Output out;
  out.text("kind", decision.source == Source::stored_approval    ? "stored_approval"
                   : decision.source == Source::deployment_grant ? "deployment_grant"
                                                                 : "none");
  out.text("answer", decision.source == Source::none ? "none" : decision.approved ? "approved" : "denied");
  return out;
}

JsonDocument run_approval(const Input &input, const CaseContext &) {
  const auto contract = valid(input.at("contract"));
  const auto app = app_identity(contract.id(), input.text("redirectTo"));
  const auto facts = facts_of(input);
  const auto plan = value_of(plan_approval(contract, facts.known), "approval plan");
  const auto decision =
      value_of(decide_approval(contract, plan, app, input.text("sessionKey"), facts), "approval decision");
  Output identity;
  identity.text("contractId", app.contract_id);
  if (app.origin) identity.text("origin", *app.origin);
  Output out;
  out.json("app", std::move(identity)).texts("requiredCapabilities", decision.required);
  out.texts("effectiveCapabilities", decision.effective).texts("missingCapabilities", decision.missing);
  out.json("effectiveApproval", of_approval(decision));
  return out.take();
}

} // namespace

void register_authority_plan(Registry &registry) {
  const Comparison sets = {.sets = {"contracts", "surfaces", "capabilities", "resources", "missingCapabilities"}};
  auto &kinds = registry["authority-plan"];
  kinds["classify"] = {run_classify, sets};
  kinds["accept"] = {run_accept, sets};
  kinds["capabilityGroups"] = {run_groups}; // sorted
  kinds["approval"] = {run_approval};
}

} // namespace trellis::vectors
