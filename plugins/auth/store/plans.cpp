#include "contracts/authority_json.h"
#include "store/authority.h"
#include "store/columns.h"
#include "store/stored_json.h"

namespace trellis::auth {
namespace {

constexpr std::string_view kPlans =
    "SELECT plan_id, deployment_id, classification, state, contract_id, contract_digest, contract, requested, "
    "provided, "
    "summary, desired_change, preview, warnings, acknowledgement_required, created_at, expires_at, decision_at, "
    "decision_by, decision_reason FROM plans";
constexpr std::string_view kById = " WHERE plan_id = ?1";
// Two texts: an optional deployment in one of them would keep SQLite from using its index.
constexpr std::string_view kOfDeployment = " WHERE deployment_id = ?1 AND (?2 IS NULL OR state = ?2) "
                                           "AND (?3 IS NULL OR classification = ?3) ORDER BY created_at, plan_id";
constexpr std::string_view kOfDeploymentInState =
    " WHERE deployment_id = ?1 AND state = ?2 AND (?3 IS NULL OR classification = ?3) ORDER BY created_at, plan_id";
constexpr std::string_view kOfAll = " WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR classification = ?2) "
                                    "ORDER BY deployment_id, created_at, plan_id";

std::string_view classification(const Plan &plan) {
  return plan.migration ? "migration" : "update";
}

Plan read_plan(Columns row) {
  return {.plan_id = row.text(),
          .deployment_id = row.text(),
          .migration = row.text() == "migration",
          .state = row.text(),
          .contract_id = row.text(),
          .contract_digest = row.text(),
          .contract = row.text(),
          .requested = stored_needs(row.text()),
          .provided = stored_surfaces(row.text()),
          .summary = row.text(),
          .desired_change = stored_needs(row.text()),
          .preview = row.text(),
          .warnings = row.names(),
          .acknowledgement_required = row.flag(),
          .created_at = row.integer(),
          .expires_at = row.optional_integer(),
          .decision_at = row.optional_integer(),
          .decision_by = row.optional_text(),
          .decision_reason = row.optional_text()};
}

} // namespace

std::optional<Plan> find_plan(Reader &db, std::string_view plan_id) {
  return first_of(db, joined<kPlans, kById>, {plan_id}, read_plan);
}

std::vector<Plan> list_plans(Reader &db, const PlanFilter &filter) {
  if (!filter.deployment_id)
    return all_of(db, joined<kPlans, kOfAll>, {filter.state, filter.classification}, read_plan);
  const SqlValues values = {filter.deployment_id, filter.state, filter.classification};
  if (filter.state) return all_of(db, joined<kPlans, kOfDeploymentInState>, values, read_plan);
  return all_of(db, joined<kPlans, kOfDeployment>, values, read_plan);
}

void put_plan(Writer &db, const Plan &plan) {
  db.execute("INSERT OR REPLACE INTO plans (plan_id, deployment_id, classification, state, contract_id, "
             "contract_digest, contract, requested, provided, summary, desired_change, preview, warnings, "
             "acknowledgement_required, created_at, expires_at, decision_at, decision_by, decision_reason) VALUES "
             "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
             {plan.plan_id, plan.deployment_id, classification(plan), plan.state, plan.contract_id,
              plan.contract_digest, plan.contract, needs_json(plan.requested), surfaces_json(plan.provided),
              plan.summary, needs_json(plan.desired_change), plan.preview, names_json(plan.warnings),
              plan.acknowledgement_required, plan.created_at, plan.expires_at, plan.decision_at, plan.decision_by,
              plan.decision_reason});
}

} // namespace trellis::auth
