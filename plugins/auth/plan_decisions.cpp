// Deciding about plans (02 §4.5, §4.6). Decision and compare-and-swap are one function on the writer's thread: of two
// accepts the second one finds the plan decided or the version gone.
#include "authority_records.h"
#include "contracts/authority_accept.h"
#include "contracts/authority_plan.h"
#include "contracts/json_write.h"
#include "deployments.h"
#include "plans.h"
#include "reconcile.h"
#include "store/database.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

AcceptPlan accept_plan_of(const Plan &plan) {
  AcceptPlan out;
  out.plan_id = plan.plan_id;
  out.state = plan.state;
  out.migration = plan.migration;
  if (plan.expires_at) out.expires_at = iso_time(*plan.expires_at);
  out.contract_id = plan.contract_id;
  out.requested = plan.requested;
  out.provided = plan.provided;
  out.desired_change = plan.desired_change;
  if (const auto summary = parse_json(plan.summary))
    if (const auto version = string_member(*summary, "desiredVersion"); !version.empty())
      out.desired_version = std::string(version);
  return out;
}

// `authorityCapabilityDefinitions` of a plan's summary (02 §2.5).
std::vector<DeploymentCapability> capability_rows(const Plan &plan) {
  std::vector<DeploymentCapability> rows;
  const auto summary = parse_json(plan.summary);
  const JsonValue *list = summary ? find_member(*summary, "authorityCapabilityDefinitions") : nullptr;
  if (!list || !list->IsArray()) return rows;
  for (const JsonValue &entry : list->GetArray()) {
    const auto text = [&](const char *name) { return std::string(string_member(entry, name)); };
    DeploymentCapability row;
    row.definition = {text("key"), text("displayName"), text("description"), std::nullopt, text("direction")};
    if (const JsonValue *consequence = find_member(entry, "consequence"); consequence && consequence->IsString())
      row.definition.consequence = std::string(text_of(*consequence));
    row.contract_id = text("contractId");
    row.contract_digest = text("contractDigest");
    row.contract_display_name = text("contractDisplayName");
    rows.push_back(std::move(row));
  }
  return rows;
}

void decide(Plan &plan, const char *state, UnixMs now, const Decider &by, std::string reason) {
  plan.state = state;
  plan.decision_at = now;
  plan.decision_by = by.json.empty() ? "{}" : by.json;
  plan.decision_reason = std::move(reason);
}

std::string plan_facts(const Plan &plan) {
  return JsonObjectText()
      .text("planId", plan.plan_id)
      .text("deploymentId", plan.deployment_id)
      .text("contractId", plan.contract_id)
      .text("contractDigest", plan.contract_digest)
      .text("classification", plan.migration ? "migration" : "update")
      .text("decisionReason", plan.decision_reason.value_or(""))
      .str();
}

struct Accepted {
  Plan plan;
  Authority authority; // with the desired state as it was decided; storage folds it
};

Result<Accepted> accept_stored(Writer &db, const AcceptRequest &request, UnixMs now, const Decider &by) {
  auto plan = find_plan(db, request.plan_id);
  auto authority = plan ? find_authority(db, plan->deployment_id) : std::nullopt;
  const auto seen_plan = plan ? std::optional(accept_plan_of(*plan)) : std::nullopt;
  const auto seen_authority =
      authority ? std::optional(AcceptAuthority{authority->version, authority->desired}) : std::nullopt;
  auto desired = decide_accept(request, seen_plan ? &*seen_plan : nullptr, seen_authority ? &*seen_authority : nullptr,
                               iso_time(now));
  if (!desired) return tl::make_unexpected(desired.error());
  authority->version = new_ulid();
  authority->updated_at = now;
  authority->desired = folded(*desired);
  decide(*plan, "accepted", now, by, request.migration ? request.acknowledgement : "accepted");
  put_authority(db, *authority);
  put_plan(db, *plan);
  replace_capabilities(db, plan->deployment_id, capability_rows(*plan));
  audit(db, now, actor_of(by), "plan.accept", plan->plan_id, plan_facts(*plan));
  authority->desired = std::move(*desired);
  return Accepted{std::move(*plan), std::move(*authority)};
}

} // namespace

Result<std::string> accept_plan(AuthorityContext &context, std::string_view input, bool migration, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const AcceptRequest request{body->text("planId"), migration, body->optional_text("expectedDesiredVersion"),
                              body->text("acknowledgement")};
  const auto accepted =
      context.core.db.write<Accepted>([&](Writer &db) { return accept_stored(db, request, context.core.now(), by); });
  if (!accepted) return tl::make_unexpected(accepted.error());
  log_change(context, Level::info, "plan accepted", plan_facts(accepted->plan));
  reconcile_or_log(context, accepted->plan.deployment_id);
  context.changed();
  return JsonObjectText().json("authority", authority_record(accepted->authority)).str();
}

// No change is signalled: whoever waits for the plan still has no authority, and asking again at once would only record
// the next plan.
Result<std::string> reject_plan(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const std::string id = body->text("planId");
  const UnixMs now = context.core.now();
  const auto rejected = context.core.db.write<Plan>([&](Writer &db) -> Result<Plan> {
    auto plan = find_plan(db, id);
    const auto seen = plan ? std::optional(accept_plan_of(*plan)) : std::nullopt;
    if (auto open = check_undecided(id, seen ? &*seen : nullptr, iso_time(now)); !open)
      return tl::make_unexpected(open.error());
    decide(*plan, "rejected", now, by, body->optional_text("reason").value_or("rejected"));
    put_plan(db, *plan);
    audit(db, now, actor_of(by), "plan.reject", plan->plan_id, plan_facts(*plan));
    return *plan;
  });
  if (!rejected) return tl::make_unexpected(rejected.error());
  log_change(context, Level::info, "plan rejected", plan_facts(*rejected));
  return JsonObjectText().flag("success", true).str();
}

} // namespace trellis::auth
