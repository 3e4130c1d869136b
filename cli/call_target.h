// What `trellis call` and `trellis feed` share: where to connect and as whom, and how a failure is told.
#pragma once

#include "call_setup.h"
#include "last_problem.h"
#include "nats/nats_transport.h"
#include "output.h"
#include "runtime/rpc_client.h"
#include <string>

namespace trellis::cli {

// With files, unless there is a login session and nothing names files. Errors: those of prepare_call and
// call_with_login.
Result<CallTarget> find_target(const CallArguments &arguments, Output &out);

NatsOptions connection_options(const CallTarget &target, std::string name, LastProblem &problem);
Error not_connected(const CallTarget &target, const Error &problem);
int fail_call(const CallArguments &arguments, const CallTarget &target, const CallError &error, Output &out);

} // namespace trellis::cli
