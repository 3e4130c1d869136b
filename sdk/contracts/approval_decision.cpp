// May this user sign in with this contract, and has it been allowed already (02 §14.4, 04 §9.3)?
#include "contracts/authority_plan.h"
#include "contracts/canonical.h"
#include "contracts/encoding.h"
#include "contracts/json_write.h"

#include <algorithm>
#include <iterator>
#include <rapidjson/document.h>

namespace trellis {
namespace {

using Keys = std::set<std::string, std::less<>>;

bool covers(const Keys &have, const Keys &wanted) {
  return std::includes(have.begin(), have.end(), wanted.begin(), wanted.end());
}
bool covers(const std::vector<std::string> &have, const std::vector<std::string> &wanted) {
  return covers(Keys(have.begin(), have.end()), Keys(wanted.begin(), wanted.end()));
}

// Step 3.
Keys override_capabilities(const AppIdentity &app, std::string_view session_key, const ApprovalFacts &facts) {
  const auto applies = [&](const ApprovalOverride &entry) {
    if (entry.contract_id != app.contract_id) return false;
    return app.origin ? entry.origin == app.origin : entry.session_public_key == session_key;
  };
  Keys keys;
  for (const auto &entry : facts.overrides) {
    if (!applies(entry)) continue;
    if (entry.capability) keys.insert(*entry.capability);
    if (entry.capability_group)
      keys.merge([&] {
        const auto resolved = resolve_capabilities({}, {*entry.capability_group}, facts.groups);
        return Keys(resolved.begin(), resolved.end());
      }());
  }
  return keys;
}

// Equal kind and members, however the text was written.
bool same_anchor(const std::string &a, const std::string &b) {
  if (a == b) return true;
  const auto left = parse_json(a), right = parse_json(b);
  if (!left || !right) return false;
  const auto left_text = canonical_json(*left), right_text = canonical_json(*right);
  return left_text && right_text && *left_text == *right_text;
}

// Step 5.
const ApprovalGrant *stored_approval(const ApprovalPlan &plan, const std::vector<std::string> &required,
                                     const std::string &anchor, const std::vector<ApprovalGrant> &grants) {
  for (const auto &grant : grants)
    if (same_anchor(grant.anchor, anchor) && covers(grant.capabilities, required) &&
        covers(grant.publish_subjects, plan.publish_subjects) &&
        covers(grant.subscribe_subjects, plan.subscribe_subjects))
      return &grant;
  return nullptr;
}

// What enabled deployments and the control plane itself offer (step 6).
Result<Needs> availability(const ApprovalFacts &facts) {
  std::vector<Needs> parts;
  for (const auto &desired : facts.enabled)
    parts.push_back(current_needs(desired));
  for (const auto &contract : facts.builtin) {
    const auto own = analyze(contract, {}, Resolution::known_or_pending);
    if (!own) return tl::make_unexpected(own.error());
    auto &part = parts.emplace_back(own->contributed);
    for (const auto &surface : own->provided)
      part.surfaces.push_back({surface, true});
  }
  std::vector<const Needs *> pointers;
  for (const auto &part : parts)
    pointers.push_back(&part);
  return merge_needs(pointers);
}

// Step 6 without the capabilities.
Result<bool> is_available(const Manifest &contract, const ApprovalFacts &facts) {
  const auto analysis = analyze(contract, facts.known, Resolution::known);
  if (!analysis) return tl::make_unexpected(analysis.error());
  const auto available = availability(facts);
  if (!available) return tl::make_unexpected(available.error());
  auto required = analysis->required;
  required.capabilities.clear();
  return is_empty(uncovered(*available, required));
}

} // namespace

std::string identity_anchor_json(const AppIdentity &app, std::string_view session_key) {
  JsonObjectText anchor;
  anchor.text("kind", app.origin ? "web" : "cli").text("contractId", app.contract_id);
  if (app.origin)
    anchor.text("origin", *app.origin);
  else
    anchor.text("sessionPublicKey", session_key);
  return anchor.str();
}

std::string identity_grant_id(std::string_view user_id, std::string_view anchor_json) {
  return base64url(as_bytes(std::string(user_id) + ":" + std::string(anchor_json)));
}

Result<ApprovalDecision> decide_approval(const Manifest &contract, const ApprovalPlan &plan, const AppIdentity &app,
                                         std::string_view session_key, const ApprovalFacts &facts) {
  ApprovalDecision decision;
  for (const auto &[key, text] : plan.capabilities)
    decision.required.push_back(key);
  const auto overrides = override_capabilities(app, session_key, facts);
  const auto own = resolve_capabilities(facts.user_capabilities, facts.user_groups, facts.groups);
  Keys effective(own.begin(), own.end());
  effective.insert(overrides.begin(), overrides.end());
  decision.effective.assign(effective.begin(), effective.end());
  std::set_difference(decision.required.begin(), decision.required.end(), effective.begin(), effective.end(),
                      std::back_inserter(decision.missing));

  const auto anchor = identity_anchor_json(app, session_key);
  if (const auto *grant = stored_approval(plan, decision.required, anchor, facts.grants)) {
    decision.source = ApprovalDecision::Source::stored_approval;
    decision.approved = grant->approved;
    return decision;
  }
  if (facts.enabled.empty() || !covers(overrides, Keys(decision.required.begin(), decision.required.end())))
    return decision;
  const auto available = is_available(contract, facts);
  if (!available) return tl::make_unexpected(available.error());
  if (!*available) return decision;
  decision.source = ApprovalDecision::Source::deployment_grant;
  decision.approved = true;
  return decision;
}

} // namespace trellis
