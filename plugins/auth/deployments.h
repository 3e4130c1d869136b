// Deployments and service instances: create, list, disable, enable, remove, provision (02 §13, 05 §6.4, §6.5).
#pragma once

#include "authority_context.h"
#include "deployment_authority.h"
#include "store/deployments.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

Result<std::string> create_deployment(AuthorityContext &context, std::string_view input, const Decider &by);
Result<std::string> list_deployments(AuthorityContext &context, std::string_view input);
Result<std::string> set_deployment_disabled(AuthorityContext &context, std::string_view input, bool disabled,
                                            const Decider &by);
Result<std::string> remove_deployment(AuthorityContext &context, std::string_view input, const Decider &by);

Result<std::string> provision_instance(AuthorityContext &context, std::string_view input, const Decider &by);
Result<std::string> list_instances(AuthorityContext &context, std::string_view input);
Result<std::string> set_instance_disabled(AuthorityContext &context, std::string_view input, bool disabled,
                                          const Decider &by);
Result<std::string> remove_instance(AuthorityContext &context, std::string_view input, const Decider &by);

// trellis.policy/1 enroll: a deployment (strict, without namespaces) and an instance where there are none.
BootstrapAnswer enroll(AuthorityContext &context, std::string_view deployment_id, std::string_view session_key);

// Parts that several of them share.
std::string actor_of(const Decider &by);                                                     // of an audit line
void warn_about_recreation(const AuthorityContext &context, std::string_view deployment_id); // 02 §13
Authority empty_authority(std::string_view deployment_id, std::string_view kind, UnixMs now);
ServiceInstance new_instance(std::string_view deployment_id, std::string_view instance_key, UnixMs now);

} // namespace trellis::auth
