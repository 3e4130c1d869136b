// Requests that break a rule on purpose, to see what a service answers to them: `trellis call --forge` and its like.
//
// They go out with the caller's own credentials, so nothing here gets past a check; they show that the checks are
// there.
#pragma once

#include "call_setup.h"
#include "nats/nats_transport.h"
#include "runtime/rpc_client.h"
#include <iosfwd>

namespace trellis::cli {

// Whether one of the diagnostics is asked for.
bool is_diagnostic(const CallArguments &arguments);
// Error "call_option" when several are.
Result<void> check_diagnostics(const CallArguments &arguments);

// [may block] The service's answer to the broken request. `loop`: for a second connection of --reply-outside. The error
// is a local one when the diagnostic itself couldn't be carried out. `notes`: what happened on the way.
CallResult run_diagnostic(const CallArguments &arguments, const CallTarget &target, NatsLoop &loop,
                          Transport &transport, std::ostream &notes);

} // namespace trellis::cli
