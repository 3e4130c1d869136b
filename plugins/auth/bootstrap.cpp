#include "bootstrap.h"
#include "authority_records.h"
#include "bootstrap_answers.h"
#include "bootstrap_plans.h"
#include "bootstrap_request.h"
#include "contract_checks.h"
#include "contracts/authority_json.h"
#include "contracts/compatibility.h"
#include "offers.h"
#include "reconcile.h"
#include "store/database.h"
#include "store/deployments.h"
#include <algorithm>
#include <set>

namespace trellis::auth {
namespace {

using Refusal = std::optional<BootstrapAnswer>; // nullopt: the next step decides

// One request after step 1 of 04 §7. Each step answers or lets the next one decide.
class BootstrapRun {
public:
  BootstrapRun(AuthorityContext &context, const BootstrapRequest &request, const std::optional<BoundArtifact> &artifact)
      : context_(context), request_(request), artifact_(artifact ? &*artifact : nullptr) {}

  BootstrapAnswer answer() {
    using Step = Refusal (BootstrapRun::*)();
    for (const Step step :
         {&BootstrapRun::find_instance, &BootstrapRun::find_contract, &BootstrapRun::analyze_contract,
          &BootstrapRun::compare_with_request, &BootstrapRun::check_ownership, &BootstrapRun::store,
          &BootstrapRun::check_compatibility, &BootstrapRun::check_fit, &BootstrapRun::check_artifact,
          &BootstrapRun::check_dependencies, &BootstrapRun::check_materialization, &BootstrapRun::offer,
          &BootstrapRun::reconcile_offer, &BootstrapRun::check_materialization, &BootstrapRun::remember_capabilities})
      if (auto refusal = (this->*step)()) return *refusal;
    return ready_answer(*contract_, {request_.session_key, context_.sentinel_json, context_.transports_json,
                                     bound_resources_json(materialization_->bindings, requested_.resources),
                                     context_.core.now_seconds()});
  }

private:
  Database &db() const { return context_.core.db; }

  // Steps 2 to 4. Also sets what is known of the deployment.
  Refusal find_instance() {
    const auto found = db().read([&](Reader &reader) -> Refusal {
      auto instance = service_instance_of_key(reader, request_.session_key);
      if (!instance)
        return BootstrapAnswer{404, failure("unknown_service", "No service instance has this session key.").str()};
      subject_ = {instance->instance_id, instance->deployment_id, {}, {}};
      if (instance->disabled)
        return BootstrapAnswer{403, failure("service_disabled", "The service instance is disabled.", subject_).str()};
      const auto deployment = find_service_deployment(reader, instance->deployment_id);
      auto authority = find_authority(reader, instance->deployment_id);
      if (!deployment || deployment->disabled || !authority || authority->disabled)
        return BootstrapAnswer{
            403, failure("service_deployment_disabled", "The deployment is disabled or gone.", subject_).str()};
      instance_ = std::move(*instance);
      mutable_dev_ = deployment->mutable_dev;
      authority_ = std::move(*authority);
      return std::nullopt;
    });
    if (!found) return broken(found.error());
    if (*found) return *found;
    subject_.contract_id = request_.contract_id;
    subject_.contract_digest = request_.contract_digest;
    return look_at_catalog();
  }

  Refusal look_at_catalog() {
    auto view = context_.core.catalog.view(db(), context_.core.now());
    if (!view) return broken(view.error());
    view_ = std::move(*view);
    return std::nullopt;
  }

  // Steps 5 and 6.
  Refusal find_contract() {
    if (request_.contract) {
      auto presented = Manifest::validate(*request_.contract);
      if (!presented) return presented_invalid(subject_, presented.error().text());
      contract_ = std::move(*presented);
      return std::nullopt;
    }
    auto known =
        db().read([&](Reader &reader) { return context_.core.catalog.find(reader, request_.contract_digest); });
    if (!known) return broken(known.error());
    if (!*known)
      return BootstrapAnswer{409, failure("manifest_required", "No contract of this digest is known.", subject_).str()};
    contract_ = std::move(**known);
    return std::nullopt;
  }

  // Step 7.
  Refusal analyze_contract() {
    auto analysis = analyze(*contract_, view_->with_accepted, Resolution::known_or_pending);
    if (!analysis) return analysis_failure(subject_, analysis.error());
    analysis_ = std::move(*analysis);
    requested_ = in_wire_order(analysis_.requested());
    return std::nullopt;
  }

  // Steps 8 and 9.
  Refusal compare_with_request() {
    BootstrapSubject subject = subject_;
    if (contract_->digest() != request_.contract_digest) {
      subject.contract_digest.clear();
      return BootstrapAnswer{409,
                             failure("presented_contract_digest_mismatch", "The contract has another digest.", subject)
                                 .text("expectedContractDigest", request_.contract_digest)
                                 .text("presentedContractDigest", contract_->digest())
                                 .str()};
    }
    if (contract_->id() == request_.contract_id) return std::nullopt;
    subject.contract_id.clear();
    return BootstrapAnswer{409, failure("presented_contract_id_mismatch", "The contract has another id.", subject)
                                    .text("expectedContractId", request_.contract_id)
                                    .text("presentedContractId", contract_->id())
                                    .str()};
  }

  // 02 §6, note below the table, and the subjects of others (ARCHITECTURE §3).
  Refusal check_ownership() {
    const auto allowed = check_service_contract(*contract_, context_.core.catalog.builtin(), view_->known);
    if (!allowed) return presented_invalid(subject_, allowed.error().text());
    return std::nullopt;
  }

  // Step 10.
  Refusal store() {
    const bool known = std::ranges::any_of(
        view_->known, [&](const KnownContract &contract) { return contract.manifest.digest() == contract_->digest(); });
    if (!request_.contract || known) return std::nullopt;
    const auto stored = db().write([&](Writer &writer) -> Result<void> {
      context_.core.catalog.store(writer, *contract_, context_.core.now());
      return {};
    });
    return stored ? Refusal() : broken(stored.error());
  }

  PlanRequest plan_request() const {
    return {authority_, instance_.instance_id, *contract_, analysis_, requested_, artifact_};
  }

  // Step 11 (04 §7.1).
  Refusal check_compatibility() {
    const auto found = db().read([&](Reader &reader) -> std::optional<Incompatibility> {
      const auto latest = latest_accepted_digest(reader, instance_.deployment_id, contract_->id());
      if (!latest || *latest == contract_->digest()) return std::nullopt;
      const auto running = context_.core.catalog.find(reader, *latest);
      Incompatibility incompatibility{*latest, "contract " + *latest + " isn't known any more"};
      if (running) {
        const auto merged = merge_lineage({*running, *contract_});
        if (merged) return std::nullopt;
        incompatibility.why = merged.error().code + ": " + merged.error().text();
      }
      if (is_covered(reader, plan_request(), incompatibility)) return std::nullopt;
      return incompatibility;
    });
    if (!found) return broken(found.error());
    if (!*found) return std::nullopt;
    return mutable_dev_ ? replace(**found) : wait_for_migration(**found);
  }

  Refusal wait_for_migration(const Incompatibility &incompatibility) {
    const auto plan = pending_migration(context_, plan_request(), incompatibility);
    if (!plan) return broken(plan.error());
    return incompatible_answer(subject_, *plan, authority_.version, incompatibility.latest_digest, mutable_dev_);
  }

  // The fit of step 12 is that of the new desired state, which 02 §4.4 step 5 leaves open.
  Refusal replace(const Incompatibility &incompatibility) {
    const auto accepted = accept_mutable(context_, plan_request(), incompatibility);
    if (!accepted && accepted.error().code == "version_changed") return wait_for_migration(incompatibility);
    if (!accepted) return broken(accepted.error());
    reconcile_or_log(context_, instance_.deployment_id);
    context_.changed();
    const auto authority = db().read([&](Reader &reader) { return find_authority(reader, instance_.deployment_id); });
    if (!authority) return broken(authority.error());
    if (*authority) authority_ = **authority;
    return look_at_catalog();
  }

  // Step 12.
  Refusal check_fit() {
    const Fit fit = classify(current_needs(authority_.desired), requested_);
    if (!fit.plan_required) return std::nullopt;
    const auto plan = pending_plan(context_, plan_request(), fit);
    if (!plan) return broken(plan.error());
    return plan_answer(subject_, *plan, authority_.version, fit);
  }

  // Beyond 04 §7: the contract may be granted all it asks for, and still not from this file.
  Refusal check_artifact() {
    if (!artifact_) return std::nullopt;
    const auto approved = db().read([&](Reader &reader) { return is_artifact_accepted(reader, plan_request()); });
    if (!approved) return broken(approved.error());
    if (*approved) return std::nullopt;
    const Fit nothing_new;
    const auto plan = pending_plan(context_, plan_request(), nothing_new);
    if (!plan) return broken(plan.error());
    return plan_answer(subject_, *plan, authority_.version, nothing_new);
  }

  // Step 13.
  Refusal check_dependencies() {
    const auto active = analyze(*contract_, view_->with_accepted, Resolution::active_or_accepted);
    return active ? Refusal() : analysis_failure(subject_, active.error());
  }

  // Steps 14 and 15, and again 17.
  Refusal check_materialization() {
    auto found = db().read([&](Reader &reader) { return find_materialization(reader, instance_.deployment_id); });
    if (!found) return broken(found.error());
    materialization_ = std::move(*found);
    return unusable(subject_, authority_, materialization_);
  }

  // Step 16. What was removed or disabled meanwhile mustn't come back through an offer.
  Refusal offer() {
    bool changed = false;
    const auto offered = db().write([&](Writer &writer) -> Result<void> {
      const auto instance = find_service_instance(writer, instance_.instance_id);
      const auto authority = find_authority(writer, instance_.deployment_id);
      if (!instance || instance->disabled || !authority || authority->disabled)
        return fail("gone", instance_.instance_id, "was removed or disabled meanwhile");
      changed = record_offer(writer, instance_.deployment_id, instance_.instance_id, contract_->id(),
                             contract_->digest(), context_.core.now());
      return {};
    });
    if (!offered && offered.error().code == "gone") {
      const Refusal refusal = find_instance();
      return refusal ? refusal : not_reconciled(subject_, authority_.version, offered.error());
    }
    if (!offered) return broken(offered.error());
    if (changed) context_.changed();
    return std::nullopt;
  }

  Refusal reconcile_offer() {
    const auto done = reconcile(context_, instance_.deployment_id, authority_.version);
    return done ? Refusal() : not_reconciled(subject_, authority_.version, done.error());
  }

  // Step 18.
  Refusal remember_capabilities() {
    std::set<std::string> capabilities = {"service"};
    for (const Needs *needs : {&analysis_.required, &analysis_.optional})
      for (const CapabilityNeed &need : needs->capabilities)
        capabilities.insert(need.capability);
    if (contract_->model().events)
      for (const auto &[name, event] : *contract_->model().events)
        if (event.capabilities && event.capabilities->publish)
          capabilities.insert(event.capabilities->publish->begin(), event.capabilities->publish->end());
    const Names sorted(capabilities.begin(), capabilities.end());
    const auto rows = capability_rows(analysis_, *contract_);
    const auto stored = db().write([&](Writer &writer) -> Result<void> {
      auto instance = find_service_instance(writer, instance_.instance_id);
      if (!instance) return fail("gone", instance_.instance_id, "was removed meanwhile");
      replace_capabilities(writer, instance_.deployment_id, rows);
      if (instance->capabilities == sorted) return {};
      instance->capabilities = sorted;
      put_service_instance(writer, *instance);
      return {};
    });
    return stored ? Refusal() : not_reconciled(subject_, authority_.version, stored.error());
  }

  BootstrapAnswer broken(const Error &error) const {
    log_change(context_, Level::error, "service bootstrap failed",
               JsonObjectText().text("instanceId", subject_.instance_id).text("error", error.text()).str());
    return internal_failure();
  }

  AuthorityContext &context_;
  const BootstrapRequest &request_;
  const BoundArtifact *const artifact_;
  BootstrapSubject subject_;
  ServiceInstance instance_;
  bool mutable_dev_ = false;
  Authority authority_;
  std::shared_ptr<const Catalog::View> view_;
  std::optional<Manifest> contract_;
  Analysis analysis_;
  Needs requested_;
  std::optional<Materialization> materialization_;
};

} // namespace

BootstrapAnswer bootstrap(AuthorityContext &context, std::string_view body, bool proofs_valid,
                          const std::optional<BoundArtifact> &artifact) {
  const auto request = parse_bootstrap_request(body, context.core.now_seconds(), proofs_valid);
  if (!request) return request.error();
  return BootstrapRun(context, *request, artifact).answer();
}

} // namespace trellis::auth
