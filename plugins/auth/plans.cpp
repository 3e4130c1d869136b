// Making and showing plans (02 §4.2, §4.6). Deciding about them: plan_decisions.cpp.
#include "plans.h"
#include "authority_records.h"
#include "bootstrap_plans.h"
#include "contract_checks.h"
#include "contracts/authority_json.h"
#include "contracts/authority_plan.h"
#include "contracts/json_write.h"
#include "deployments.h"
#include "reconcile.h"
#include "store/database.h"
#include "wire/ulid.h"
#include <algorithm>
#include <map>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

tl::unexpected<Error> bad_contract(const Error &error) {
  return invalid("/contract", "The contract can't be planned: " + error.text());
}

// 01 §13 and our own checks. True: it may be stored; a contract with an unknown dependency isn't yet.
Result<bool> check_install(AuthorityContext &context, const Authority &authority, const Manifest &contract,
                           const KnownContracts &known) {
  const bool device = authority.kind == "device";
  std::vector<Manifest> manifests;
  for (const KnownContract &other : known)
    manifests.push_back(other.manifest);
  const auto installable =
      install_check(contract, device ? DeploymentKind::device : DeploymentKind::service, manifests);
  const bool deferred = !installable && installable.error().code == "dependency_unknown";
  if (!installable && !deferred) return tl::make_unexpected(installable.error());
  // The deferred check ended before the kinds were compared.
  if (contract.kind() != (device ? ContractKind::device : ContractKind::service))
    return fail("kind_mismatch", "/kind", "is " + std::string(kind_name(contract.kind())), authority.kind);
  if (auto subjects = check_subjects(contract, context.core.catalog.builtin(), known); !subjects)
    return tl::make_unexpected(subjects.error());
  return !deferred;
}

struct Proposal {
  Manifest contract;
  Analysis analysis;
  Needs requested;
  bool storable = true;
};

// Checks 3 to 5 of 02 §4.2.
Result<Proposal> propose(AuthorityContext &context, const Body &body, const Authority &authority) {
  const JsonValue *presented = body.find("contract");
  auto contract = presented ? Manifest::validate(*presented) : Result<Manifest>(fail("structure", "", "is missing"));
  if (!contract) return bad_contract(contract.error());
  const auto view = context.core.catalog.view(context.core.db, context.core.now());
  if (!view) return tl::make_unexpected(view.error());
  auto analysis = analyze(*contract, (*view)->known, Resolution::known_or_pending);
  if (!analysis) return bad_contract(analysis.error());
  const std::string expected = body.text("expectedDigest");
  if (contract->digest() != expected)
    return invalid("/expectedDigest", "The contract has another digest.",
                   {{"expectedDigest", expected}, {"actualDigest", contract->digest()}});
  const auto storable = check_install(context, authority, *contract, (*view)->known);
  if (!storable) return bad_contract(storable.error());
  Needs requested = in_wire_order(analysis->requested());
  return Proposal{std::move(*contract), std::move(*analysis), std::move(requested), *storable};
}

Plan plan_of(AuthorityContext &context, const Authority &authority, const Proposal &proposal) {
  const Fit fit = classify(current_needs(authority.desired), proposal.requested);
  Plan plan;
  plan.plan_id = authority.deployment_id + ":" + proposal.contract.digest() + ":" + new_ulid();
  plan.deployment_id = authority.deployment_id;
  plan.migration = plan.acknowledgement_required = fit.migration;
  plan.contract_id = proposal.contract.id();
  plan.contract_digest = proposal.contract.digest();
  plan.contract = proposal.contract.normalized();
  plan.requested = proposal.requested;
  plan.provided = in_wire_order(proposal.analysis.provided);
  plan.summary =
      JsonObjectText()
          .text("adapter", "deployment-authority-plan")
          .text("desiredVersion", authority.version)
          .json("authorityCapabilityDefinitions",
                capability_definitions_json(proposal.analysis.definitions, authority.deployment_id, proposal.contract))
          .str();
  plan.desired_change = in_wire_order(fit.desired_change);
  plan.preview = R"({"resourceBindings":[],"provisioning":"not-run"})";
  plan.created_at = context.core.now();
  return plan;
}

Result<Authority> authority_for(AuthorityContext &context, const std::string &deployment_id) {
  auto found = context.core.db.read([&](Reader &db) { return find_authority(db, deployment_id); });
  if (!found) return tl::make_unexpected(found.error());
  if (!*found) return invalid("/deploymentId", "The deployment doesn't exist.", {{"deploymentId", deployment_id}});
  return std::move(**found);
}

} // namespace

Result<std::string> make_plan(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const auto authority = authority_for(context, body->text("deploymentId"));
  if (!authority) return tl::make_unexpected(authority.error());
  const auto proposal = propose(context, *body, *authority);
  if (!proposal) return tl::make_unexpected(proposal.error());
  const Plan plan = plan_of(context, *authority, *proposal);
  const std::string facts = JsonObjectText()
                                .text("deploymentId", plan.deployment_id)
                                .text("contractId", plan.contract_id)
                                .text("contractDigest", plan.contract_digest)
                                .text("classification", plan.migration ? "migration" : "update")
                                .str();
  const auto stored = context.core.db.write([&](Writer &db) -> Result<void> {
    if (proposal->storable) context.core.catalog.store(db, proposal->contract, plan.created_at);
    put_plan(db, plan);
    replace_capabilities(db, plan.deployment_id, capability_rows(proposal->analysis, proposal->contract));
    audit(db, plan.created_at, actor_of(by), "plan.record", plan.plan_id, facts);
    return {};
  });
  if (!stored) return tl::make_unexpected(stored.error());
  log_change(context, Level::info, "plan recorded", facts);
  if (proposal->storable) context.changed(); // a contract that others use may have become known
  return JsonObjectText().json("plan", plan_record(plan, Decisions::left_out)).str();
}

Result<std::string> list_plan_records(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  return context.core.db.read([&](Reader &db) {
    std::vector<Plan> plans = list_plans(
        db, {body->optional_text("deploymentId"), body->optional_text("state"), body->optional_text("classification")});
    if (const auto kind = body->optional_text("kind")) {
      std::map<std::string, std::string> kinds;
      for (const Authority &authority : list_authorities(db))
        kinds[authority.deployment_id] = authority.kind;
      std::erase_if(plans, [&](const Plan &plan) { return kinds[plan.deployment_id] != *kind; });
    }
    return page_of(*body, plans, [](const Plan &plan) { return plan_record(plan); });
  });
}

Result<std::string> get_plan_record(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const std::string id = body->text("planId");
  const auto plan = context.core.db.read([&](Reader &db) { return find_plan(db, id); });
  if (!plan) return tl::make_unexpected(plan.error());
  if (!*plan) return invalid("/planId", "The plan doesn't exist.", {{"planId", id}});
  return JsonObjectText().json("plan", plan_record(**plan)).str();
}

Result<std::string> list_authority_records(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  return context.core.db.read([&](Reader &db) {
    std::vector<Authority> rows = list_authorities(db);
    const auto kind = body->optional_text("kind");
    const auto disabled = body->optional_flag("disabled");
    std::erase_if(rows, [&](const Authority &row) {
      return (kind && row.kind != *kind) || (disabled && row.disabled != *disabled);
    });
    return page_of(*body, rows, authority_record);
  });
}

Result<std::string> get_authority_record(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const std::string id = body->text("deploymentId");
  const auto authority = authority_for(context, id);
  if (!authority) return tl::make_unexpected(authority.error());
  return context.core.db.read([&](Reader &db) {
    const auto materialization = find_materialization(db, id);
    std::vector<std::string> overrides;
    for (const GrantOverride &row : overrides_of(db, id))
      overrides.push_back(override_record(row));
    return JsonObjectText()
        .json("authority", authority_record(*authority))
        .json("materializedAuthority", materialization ? materialization_record(*materialization) : "null")
        .json("portalRoute", "null")
        .json("grantOverrides", json_array(overrides))
        .str();
  });
}

Result<std::string> reconcile_deployment(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const std::string id = body->text("deploymentId");
  const auto done = reconcile(context, id, body->optional_text("desiredVersion"));
  if (!done) return tl::make_unexpected(done.error());
  const auto audited = context.core.db.write([&](Writer &db) -> Result<void> {
    audit(db, context.core.now(), actor_of(by), "deployment.reconcile", id,
          JsonObjectText().text("state", done->reconciliation.state).str());
    return {};
  });
  if (!audited) return tl::make_unexpected(audited.error());
  return JsonObjectText()
      .json("authority", authority_record(done->authority))
      .json("materializedAuthority", materialization_record(done->materialization))
      .json("reconciliation", reconciliation_record(done->reconciliation))
      .str();
}

} // namespace trellis::auth
