// Deployments, instances and authority plans over RPC (05 §6.4 to §6.6): all for administrators.
#include "rpc_table.h"

namespace trellis::auth {
namespace {

// Reads of an administrator.
template <auto Method>
RpcOutcome look(RpcContext &context, const RpcRequest &request) {
  if (auto admin = require_admin(request); !admin) return tl::make_unexpected(std::move(admin.error()));
  return outcome_of((context.authority.*Method)(request.input));
}

// Changes by an administrator, who is named in the audit.
template <auto Method>
RpcOutcome change(RpcContext &context, const RpcRequest &request) {
  const auto admin = require_admin(request);
  if (!admin) return tl::make_unexpected(admin.error());
  return outcome_of((context.authority.*Method)(request.input, admin->decider));
}

// The same, of a method with a switch.
template <auto Method, bool Switch>
RpcOutcome change_to(RpcContext &context, const RpcRequest &request) {
  const auto admin = require_admin(request);
  if (!admin) return tl::make_unexpected(admin.error());
  return outcome_of((context.authority.*Method)(request.input, Switch, admin->decider));
}

} // namespace

void add_authority_rpcs(RpcHandlers &handlers) {
  using Domain = DeploymentAuthority;
  handlers["Auth.Deployments.Create"] = change<&Domain::create_deployment>;
  handlers["Auth.Deployments.List"] = look<&Domain::list_deployments>;
  handlers["Auth.Deployments.Disable"] = change_to<&Domain::set_deployment_disabled, true>;
  handlers["Auth.Deployments.Enable"] = change_to<&Domain::set_deployment_disabled, false>;
  handlers["Auth.Deployments.Remove"] = change<&Domain::remove_deployment>;

  handlers["Auth.ServiceInstances.Provision"] = change<&Domain::provision_instance>;
  handlers["Auth.ServiceInstances.List"] = look<&Domain::list_instances>;
  handlers["Auth.ServiceInstances.Disable"] = change_to<&Domain::set_instance_disabled, true>;
  handlers["Auth.ServiceInstances.Enable"] = change_to<&Domain::set_instance_disabled, false>;
  handlers["Auth.ServiceInstances.Remove"] = change<&Domain::remove_instance>;

  handlers["Auth.DeploymentAuthority.List"] = look<&Domain::list_authorities>;
  handlers["Auth.DeploymentAuthority.Get"] = look<&Domain::get_authority>;
  handlers["Auth.DeploymentAuthority.Plan"] = change<&Domain::plan>;
  handlers["Auth.DeploymentAuthority.Plans.List"] = look<&Domain::list_plans>;
  handlers["Auth.DeploymentAuthority.Plans.Get"] = look<&Domain::get_plan>;
  handlers["Auth.DeploymentAuthority.AcceptUpdate"] = change_to<&Domain::accept, false>;
  handlers["Auth.DeploymentAuthority.AcceptMigration"] = change_to<&Domain::accept, true>;
  handlers["Auth.DeploymentAuthority.Reject"] = change<&Domain::reject>;
  handlers["Auth.DeploymentAuthority.Reconcile"] = change<&Domain::reconcile>;
}

} // namespace trellis::auth
