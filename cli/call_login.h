// `trellis call` as the operator who is signed in.
//
// The session of this CLI may call the control plane and nothing else, on purpose. So a call of a service goes through
// a contract that is made up for it: an agent, "trellis.call@v1", that uses exactly this one rpc. The first call of an
// rpc is therefore a login with an approval page that names it; its session is kept beside the CLI's own and used
// again.
#pragma once

#include "call_setup.h"
#include "output.h"
#include "sign_in.h"
#include <string_view>

namespace trellis::cli {

bool has_login(); // a session file of this CLI exists

// [may block] Finds the rpc's contract (in --contract FILE, else by asking the control plane), and signs in for it when
// no session for it is stored. Errors: those of sign_in and log_in, "rpc_unknown", "rpc_ambiguous".
Result<CallTarget> call_with_login(const CallArguments &arguments, Output &out);

// The contract that may call `rpc` of `contract_id`, or subscribe to it when it is a feed.
Result<Participant> call_participant(std::string_view contract_id, std::string_view rpc, bool is_feed = false);

} // namespace trellis::cli
