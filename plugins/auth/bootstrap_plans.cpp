#include "bootstrap_plans.h"
#include "authority_records.h"
#include "contracts/authority_json.h"
#include "contracts/json_write.h"
#include "store/database.h"
#include "wire/ulid.h"
#include <algorithm>
#include <functional>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr std::size_t kPendingPlansLookedAt = 500; // 02 §4.3
constexpr char kMutableReason[] = "mutable-dev auto-accepted incompatible same-contract replacement";

std::string plan_summary(const PlanRequest &request, const Incompatibility *incompatibility) {
  JsonObjectText out;
  out.text("requestedByKind", "service").text("requestedById", request.instance_id);
  out.text("desiredVersion", request.authority.version);
  if (incompatibility)
    out.flag("compatibilityMigration", true).text("previousContractDigest", incompatibility->latest_digest);
  if (request.artifact)
    out.json("artifact",
             JsonObjectText().text("sha256", request.artifact->sha256).text("signer", request.artifact->signer).str());
  return out
      .json(
          "authorityCapabilityDefinitions",
          capability_definitions_json(request.analysis.definitions, request.authority.deployment_id, request.contract))
      .str();
}

Plan new_plan(AuthorityContext &context, const PlanRequest &request, const Needs &desired_change,
              const Incompatibility *incompatibility) {
  Plan plan;
  plan.plan_id = new_ulid();
  plan.deployment_id = request.authority.deployment_id;
  plan.contract_id = request.contract.id();
  plan.contract_digest = request.contract.digest();
  plan.contract = request.contract.normalized();
  plan.requested = request.requested;
  plan.provided = in_wire_order(request.analysis.provided);
  plan.summary = plan_summary(request, incompatibility);
  plan.desired_change = in_wire_order(desired_change);
  plan.created_at = context.core.now();
  if (incompatibility) {
    plan.migration = plan.acknowledgement_required = true;
    plan.warnings = {incompatibility->why};
  }
  return plan;
}

// Facts of a stored summary.
class Summary {
public:
  explicit Summary(const std::string &text) : document_(parse_json(text)) {}
  bool at_version(std::string_view version) const { return document_ && text("desiredVersion") == version; }
  bool migrates_from(std::string_view digest) const {
    const JsonValue *flag = document_ ? find_member(*document_, "compatibilityMigration") : nullptr;
    return flag && flag->IsTrue() && text("previousContractDigest") == digest;
  }

  // Both without one, or both with the same.
  bool is_of(const BoundArtifact *artifact) const {
    const JsonValue *found = document_ ? find_member(*document_, "artifact") : nullptr;
    if (!found || !artifact) return !found && !artifact;
    return string_member(*found, "sha256") == artifact->sha256 && string_member(*found, "signer") == artifact->signer;
  }

private:
  std::string_view text(std::string_view name) const { return string_member(*document_, name); }
  Result<JsonDocument> document_;
};

bool is_about(const Plan &plan, const PlanRequest &request) {
  return plan.contract_id == request.contract.id() && plan.contract_digest == request.contract.digest() &&
         equal_needs(plan.requested, request.requested);
}

// The first pending plan for the request that `matches`.
std::optional<Plan> find_pending(Reader &db, const PlanRequest &request,
                                 const std::function<bool(const Plan &)> &matches) {
  std::vector<Plan> pending = list_plans(db, {request.authority.deployment_id, "pending", std::nullopt});
  if (pending.size() > kPendingPlansLookedAt) pending.resize(kPendingPlansLookedAt);
  for (Plan &plan : pending) {
    if (!is_about(plan, request)) continue;
    const Summary summary(plan.summary);
    if (summary.at_version(request.authority.version) && summary.is_of(request.artifact) && matches(plan))
      return std::move(plan);
  }
  return std::nullopt;
}

// That one, else `plan`, recorded with the capability definitions that it would bring. Services ask every few seconds,
// so the look comes first and the writer is left alone.
Result<Plan> find_or_record(AuthorityContext &context, const PlanRequest &request, const Plan &plan,
                            const std::function<bool(const Plan &)> &matches) {
  auto known = context.core.db.read([&](Reader &db) { return find_pending(db, request, matches); });
  if (!known) return tl::make_unexpected(known.error());
  if (*known) return std::move(**known);
  bool fresh = false;
  auto found = context.core.db.write<Plan>([&](Writer &db) -> Result<Plan> {
    if (auto same = find_pending(db, request, matches)) return std::move(*same);
    fresh = true;
    put_plan(db, plan);
    replace_capabilities(db, plan.deployment_id, capability_rows(request.analysis, request.contract));
    audit(db, plan.created_at, "service:" + request.instance_id, "plan.record", plan.plan_id,
          JsonObjectText()
              .text("deploymentId", plan.deployment_id)
              .text("contractId", plan.contract_id)
              .text("contractDigest", plan.contract_digest)
              .text("classification", plan.migration ? "migration" : "update")
              .str());
    return plan;
  });
  if (fresh && found)
    log_change(context, Level::info, "plan recorded",
               JsonObjectText()
                   .text("planId", plan.plan_id)
                   .text("deploymentId", plan.deployment_id)
                   .text("contractId", plan.contract_id)
                   .text("contractDigest", plan.contract_digest)
                   .text("classification", plan.migration ? "migration" : "update")
                   .str());
  return found;
}

} // namespace

std::vector<DeploymentCapability> capability_rows(const Analysis &analysis, const Manifest &contract) {
  std::vector<DeploymentCapability> rows;
  for (const CapabilityDefinition &definition : analysis.definitions)
    rows.push_back({definition, contract.id(), contract.digest(), contract.model().display_name});
  return rows;
}

Result<Plan> pending_plan(AuthorityContext &context, const PlanRequest &request, const Fit &fit) {
  Plan plan = new_plan(context, request, fit.desired_change, nullptr);
  plan.migration = plan.acknowledgement_required = fit.migration;
  return find_or_record(context, request, plan, [&](const Plan &other) {
    return other.migration == fit.migration && equal_needs(other.desired_change, fit.desired_change);
  });
}

bool is_artifact_accepted(Reader &db, const PlanRequest &request) {
  const auto plans = list_plans(db, {request.authority.deployment_id, "accepted", std::nullopt});
  return std::ranges::any_of(plans, [&](const Plan &plan) {
    return plan.contract_digest == request.contract.digest() && Summary(plan.summary).is_of(request.artifact);
  });
}

bool is_covered(Reader &db, const PlanRequest &request, const Incompatibility &incompatibility) {
  const auto plans = list_plans(db, {request.authority.deployment_id, "accepted", "migration"});
  return std::ranges::any_of(plans, [&](const Plan &plan) {
    if (!is_about(plan, request) || !Summary(plan.summary).migrates_from(incompatibility.latest_digest)) return false;
    if (plan.contract == request.contract.normalized()) return true;
    const auto embedded = Manifest::parse(plan.contract);
    return embedded && embedded->digest() == request.contract.digest();
  });
}

Result<Plan> pending_migration(AuthorityContext &context, const PlanRequest &request,
                               const Incompatibility &incompatibility) {
  const Fit fit = classify(current_needs(request.authority.desired), request.requested);
  const Plan plan = new_plan(context, request, fit.desired_change, &incompatibility);
  return find_or_record(context, request, plan, [&](const Plan &other) {
    return other.migration && Summary(other.summary).migrates_from(incompatibility.latest_digest);
  });
}

Result<void> accept_mutable(AuthorityContext &context, const PlanRequest &request,
                            const Incompatibility &incompatibility) {
  const Fit fit = classify(current_needs(request.authority.desired), request.requested);
  Plan plan = new_plan(context, request, fit.desired_change, &incompatibility);
  plan.acknowledgement_required = false;
  plan.state = "accepted";
  plan.decision_at = plan.created_at;
  plan.decision_by = JsonObjectText()
                         .text("kind", "system")
                         .text("mode", "mutable-dev")
                         .text("serviceInstanceId", request.instance_id)
                         .str();
  plan.decision_reason = kMutableReason;
  auto accepted = context.core.db.write([&](Writer &db) -> Result<void> {
    auto authority = find_authority(db, plan.deployment_id);
    if (!authority || authority->version != request.authority.version)
      return fail("version_changed", plan.deployment_id, "the deployment's authority has changed meanwhile");
    authority->desired = folded(accept_migration(plan.requested, plan.provided));
    authority->version = new_ulid();
    authority->updated_at = plan.created_at;
    put_authority(db, *authority);
    put_plan(db, plan);
    replace_capabilities(db, plan.deployment_id, capability_rows(request.analysis, request.contract));
    audit(db, plan.created_at, "system:mutable-dev", "plan.accept", plan.plan_id,
          JsonObjectText()
              .text("deploymentId", plan.deployment_id)
              .text("serviceInstanceId", request.instance_id)
              .text("contractDigest", plan.contract_digest)
              .text("previousContractDigest", incompatibility.latest_digest)
              .str());
    return {};
  });
  if (accepted)
    log_change(context, Level::info, "plan accepted",
               JsonObjectText()
                   .text("planId", plan.plan_id)
                   .text("deploymentId", plan.deployment_id)
                   .text("decisionReason", kMutableReason)
                   .str());
  return accepted;
}

} // namespace trellis::auth
