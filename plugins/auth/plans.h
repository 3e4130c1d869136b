// Plans of a deployment authority: made, listed, accepted, rejected (02 §4, 05 §6.6).
#pragma once

#include "authority_context.h"
#include "deployment_authority.h"
#include <string>
#include <string_view>

namespace trellis::auth {

Result<std::string> make_plan(AuthorityContext &context, std::string_view input, const Decider &by);
Result<std::string> list_plan_records(AuthorityContext &context, std::string_view input);
Result<std::string> get_plan_record(AuthorityContext &context, std::string_view input);
Result<std::string> accept_plan(AuthorityContext &context, std::string_view input, bool migration, const Decider &by);
Result<std::string> reject_plan(AuthorityContext &context, std::string_view input, const Decider &by);

Result<std::string> list_authority_records(AuthorityContext &context, std::string_view input);
Result<std::string> get_authority_record(AuthorityContext &context, std::string_view input);
Result<std::string> reconcile_deployment(AuthorityContext &context, std::string_view input, const Decider &by);

} // namespace trellis::auth
