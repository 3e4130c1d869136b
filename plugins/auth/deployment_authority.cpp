#include "deployment_authority.h"
#include "bootstrap.h"
#include "core_rpcs.h"
#include "deployments.h"
#include "jetstream_resources.h"
#include "plans.h"
#include "reconcile.h"

namespace trellis::auth {

struct DeploymentAuthority::State {
  State(Core &core, Connections &connections, std::unique_ptr<ResourceProvisioner> provisioner, std::string sentinel,
        std::string transports)
      : resources(std::move(provisioner)), context{core, connections, *resources, std::move(sentinel),
                                                   std::move(transports)} {}

  std::unique_ptr<ResourceProvisioner> resources;
  AuthorityContext context;
};

DeploymentAuthority::DeploymentAuthority(Core &core, Connections &connections, Transport &trellis, Transport &system,
                                         std::string sentinel_json, std::string transports_json)
    : state_(std::make_unique<State>(
          core, connections, std::make_unique<JetStreamResources>(trellis, system, core.config.replicas, core.log),
          std::move(sentinel_json), std::move(transports_json))) {}
DeploymentAuthority::DeploymentAuthority(Core &core, Connections &connections,
                                         std::unique_ptr<ResourceProvisioner> resources, std::string sentinel_json,
                                         std::string transports_json)
    : state_(std::make_unique<State>(core, connections, std::move(resources), std::move(sentinel_json),
                                     std::move(transports_json))) {}
DeploymentAuthority::~DeploymentAuthority() = default;

BootstrapAnswer DeploymentAuthority::bootstrap(std::string_view body, bool proofs_valid,
                                               const std::optional<BoundArtifact> &artifact) {
  return auth::bootstrap(state_->context, body, proofs_valid, artifact);
}
BootstrapAnswer DeploymentAuthority::enroll(std::string_view deployment_id, std::string_view session_key) {
  return auth::enroll(state_->context, deployment_id, session_key);
}

Result<std::string> DeploymentAuthority::create_deployment(std::string_view input, const Decider &by) {
  return auth::create_deployment(state_->context, input, by);
}
Result<std::string> DeploymentAuthority::list_deployments(std::string_view input) {
  return auth::list_deployments(state_->context, input);
}
Result<std::string> DeploymentAuthority::set_deployment_disabled(std::string_view input, bool disabled,
                                                                 const Decider &by) {
  return auth::set_deployment_disabled(state_->context, input, disabled, by);
}
Result<std::string> DeploymentAuthority::remove_deployment(std::string_view input, const Decider &by) {
  return auth::remove_deployment(state_->context, input, by);
}
Result<std::string> DeploymentAuthority::provision_instance(std::string_view input, const Decider &by) {
  return auth::provision_instance(state_->context, input, by);
}
Result<std::string> DeploymentAuthority::list_instances(std::string_view input) {
  return auth::list_instances(state_->context, input);
}
Result<std::string> DeploymentAuthority::set_instance_disabled(std::string_view input, bool disabled,
                                                               const Decider &by) {
  return auth::set_instance_disabled(state_->context, input, disabled, by);
}
Result<std::string> DeploymentAuthority::remove_instance(std::string_view input, const Decider &by) {
  return auth::remove_instance(state_->context, input, by);
}

Result<std::string> DeploymentAuthority::list_authorities(std::string_view input) {
  return list_authority_records(state_->context, input);
}
Result<std::string> DeploymentAuthority::get_authority(std::string_view input) {
  return get_authority_record(state_->context, input);
}
Result<std::string> DeploymentAuthority::plan(std::string_view input, const Decider &by) {
  return make_plan(state_->context, input, by);
}
Result<std::string> DeploymentAuthority::list_plans(std::string_view input) {
  return list_plan_records(state_->context, input);
}
Result<std::string> DeploymentAuthority::get_plan(std::string_view input) {
  return get_plan_record(state_->context, input);
}
Result<std::string> DeploymentAuthority::accept(std::string_view input, bool migration, const Decider &by) {
  return accept_plan(state_->context, input, migration, by);
}
Result<std::string> DeploymentAuthority::reject(std::string_view input, const Decider &by) {
  return reject_plan(state_->context, input, by);
}
Result<std::string> DeploymentAuthority::reconcile(std::string_view input, const Decider &by) {
  return reconcile_deployment(state_->context, input, by);
}

Result<std::string> DeploymentAuthority::catalog() {
  return catalog_reply(state_->context);
}
Result<std::string> DeploymentAuthority::get_contract(std::string_view input) {
  return contract_reply(state_->context, input);
}
Result<std::string> DeploymentAuthority::get_bindings(std::string_view input, std::string_view caller) {
  return bindings_reply(state_->context, input, caller);
}
Result<std::string> DeploymentAuthority::surface_status(std::string_view input, std::string_view caller) {
  return surface_status_reply(state_->context, input, caller);
}

void DeploymentAuthority::reconcile_all() {
  reconcile_enabled(state_->context);
}
void DeploymentAuthority::on_change(std::function<void()> changed) {
  state_->context.changed.set(std::move(changed));
}

} // namespace trellis::auth
