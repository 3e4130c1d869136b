#include "login_decision.h"

#include "catalog.h"
#include "contracts/authority_json.h"
#include "principals.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

ApprovalGrant approval_grant(const IdentityGrant &grant) {
  ApprovalGrant out;
  out.anchor = grant.anchor;
  out.approved = grant.answer == "approved";
  out.publish_subjects = grant.publish_subjects;
  out.subscribe_subjects = grant.subscribe_subjects;
  const auto approval = parse_json(grant.approval);
  const auto *capabilities = approval ? find_member(*approval, "capabilities") : nullptr;
  if (!capabilities || !capabilities->IsObject()) return out;
  for (const auto &member : capabilities->GetObject())
    out.capabilities.emplace_back(text_of(member.name));
  return out;
}

ApprovalOverride approval_override(const GrantOverride &row) {
  return {row.contract_id, row.origin, row.session_public_key, row.capability, row.capability_group_key};
}

// Everything but the known contracts, which the catalog keeps.
ApprovalFacts stored_facts(Reader &db, const User &user) {
  ApprovalFacts facts;
  facts.user_capabilities = user.capabilities;
  facts.user_groups = user.groups;
  facts.groups = stored_groups(db);
  for (const auto &authority : list_authorities(db)) {
    if (authority.disabled) continue;
    facts.enabled.push_back(authority.desired);
    for (const auto &row : overrides_of(db, authority.deployment_id))
      facts.overrides.push_back(approval_override(row));
  }
  for (const auto &grant : identity_grants_of(db, user.user_id))
    facts.grants.push_back(approval_grant(grant));
  return facts;
}

struct Facts {
  std::optional<User> user;
  ApprovalFacts approval;
};

Result<Facts> facts_of(Core &core, std::string_view user_id) {
  const auto view = core.catalog.view(core.db, core.now());
  if (!view) return tl::make_unexpected(view.error());
  auto facts = core.db.read([&](Reader &db) {
    Facts out;
    out.user = find_user(db, user_id);
    out.approval = stored_facts(db, out.user.value_or(User{}));
    return out;
  });
  if (!facts) return facts;
  facts->approval.known = (*view)->known;
  facts->approval.builtin = core.catalog.builtin();
  return facts;
}

bool is_subset(const std::vector<std::string> &small, const std::vector<std::string> &large) {
  return std::all_of(small.begin(), small.end(),
                     [&](const auto &item) { return std::find(large.begin(), large.end(), item) != large.end(); });
}

template <class T>
tl::unexpected<Error> refused(const Result<T> &failed) {
  auto problem = failed.error();
  problem.code = kPlanRefused;
  return tl::make_unexpected(std::move(problem));
}

Result<Needs> required_needs(Core &core, const Manifest &contract) {
  const auto view = core.catalog.view(core.db, core.now());
  if (!view) return tl::make_unexpected(view.error());
  auto analysis = analyze(contract, (*view)->known, Resolution::known);
  if (!analysis) return refused(analysis);
  return std::move(analysis->required);
}

// Step 6 of 04 §9.3 alone: as if overrides covered every capability and nothing had been answered yet.
Result<bool> fits_availability(const LoginPlan &plan, const AppIdentity &app, std::string_view session_key,
                               ApprovalFacts facts, Needs required) {
  if (facts.enabled.empty()) {
    required.capabilities.clear();
    return is_empty(required);
  }
  facts.grants.clear();
  for (const auto &[key, text] : plan.approval.capabilities) {
    ApprovalOverride all{app.contract_id, app.origin, std::nullopt, key, std::nullopt};
    if (!app.origin) all.session_public_key = session_key;
    facts.overrides.push_back(std::move(all));
  }
  const auto decision = decide_approval(plan.contract, plan.approval, app, session_key, facts);
  if (!decision) return refused(decision);
  return decision->source == ApprovalDecision::Source::deployment_grant;
}

bool has_stored_needs_for(const UserSession &session, const Needs &required) {
  if (!session.needs_json) return false;
  const auto parsed = parse_json(*session.needs_json);
  if (!parsed) return false;
  const auto stored = needs_from_json(*parsed);
  return stored && is_empty(uncovered(*stored, required));
}

} // namespace

Result<LoginPlan> plan_login(Core &core, const Manifest &contract) {
  const auto view = core.catalog.view(core.db, core.now());
  if (!view) return tl::make_unexpected(view.error());
  auto approval = plan_approval(contract, (*view)->known);
  if (!approval) return refused(approval);
  return LoginPlan{contract, std::move(*approval)};
}

Result<LoginPlan> plan_login(Core &core, std::string_view normalized_contract) {
  auto contract = Manifest::parse(normalized_contract);
  if (!contract) return refused(contract);
  return plan_login(core, *contract);
}

Result<LoginDecision> decide_login(Core &core, const LoginPlan &plan, const AppIdentity &app,
                                   std::string_view session_key, std::string_view user_id) {
  auto facts = facts_of(core, user_id);
  if (!facts) return tl::make_unexpected(facts.error());
  auto decision = decide_approval(plan.contract, plan.approval, app, session_key, facts->approval);
  if (!decision) return refused(decision);
  return LoginDecision{std::move(facts->user), std::move(*decision), identity_anchor_json(app, session_key)};
}

Result<bool> may_bind_at_once(Core &core, const LoginPlan &plan, const AppIdentity &app, const Session &session) {
  const auto *user = session.user();
  if (!user) return false;
  const AppIdentity before{user->contract_id, user->app_origin};
  if (identity_anchor_json(before, session.session_key) != identity_anchor_json(app, session.session_key)) return false;
  if (!is_subset(plan.approval.publish_subjects, user->publish_subjects) ||
      !is_subset(plan.approval.subscribe_subjects, user->subscribe_subjects))
    return false;
  auto required = required_needs(core, plan.contract);
  if (!required) return tl::make_unexpected(required.error());
  if (!has_stored_needs_for(*user, *required)) return false;
  auto facts = facts_of(core, user->user_id);
  if (!facts) return tl::make_unexpected(facts.error());
  if (!facts->user || !facts->user->active) return false;
  const auto decision = decide_approval(plan.contract, plan.approval, app, session.session_key, facts->approval);
  if (!decision) return tl::make_unexpected(decision.error());
  if (!decision->missing.empty()) return false;
  return fits_availability(plan, app, session.session_key, std::move(facts->approval), std::move(*required));
}

Result<UserSession> session_of(Core &core, const LoginPlan &plan, const AppIdentity &app, std::string_view user_id,
                               std::string_view session_key, ApprovalDecision::Source source) {
  auto required = required_needs(core, plan.contract);
  if (!required) return tl::make_unexpected(required.error());
  UserSession out;
  out.user_id = user_id;
  out.participant_kind = plan.approval.participant_kind;
  out.contract_id = plan.approval.contract_id;
  out.contract_digest = plan.approval.contract_digest;
  out.contract_display_name = plan.approval.display_name;
  out.contract_description = plan.approval.description;
  out.app_origin = app.origin;
  out.needs_json = needs_json(*required);
  for (const auto &[key, text] : plan.approval.capabilities)
    out.capabilities.push_back(key);
  out.publish_subjects = plan.approval.publish_subjects;
  out.subscribe_subjects = plan.approval.subscribe_subjects;
  if (source == ApprovalDecision::Source::stored_approval) {
    out.approval_source = "stored_approval";
    out.identity_grant_id = identity_grant_id(user_id, identity_anchor_json(app, session_key));
  } else if (source == ApprovalDecision::Source::deployment_grant) {
    out.approval_source = "deployment_grant";
  }
  return out;
}

} // namespace trellis::auth
