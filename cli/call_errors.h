// A failed call, in words for the person at the terminal.
#pragma once

#include "runtime/rpc_client.h"
#include <string>

namespace trellis::cli {

// "AuthError: ... (insufficient_permissions)", then what a person can do about it.
std::string error_text(const CallError &error);
// The same as an Error: code = the reason or code, where = the rpc.
Error call_error(const CallError &error, const std::string &rpc);

} // namespace trellis::cli
