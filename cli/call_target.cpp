#include "call_target.h"
#include "call_errors.h"
#include "call_login.h"
#include <ostream>

namespace trellis::cli {

Result<CallTarget> find_target(const CallArguments &arguments, Output &out) {
  if (arguments.config.empty() && arguments.caller.empty() && has_login()) return call_with_login(arguments, out);
  auto setup = prepare_call(arguments, out.err());
  if (!setup) return tl::unexpected(setup.error());
  // Asked here too, so that a mistake in the policy file is told as such and not as a connection that fails.
  if (const auto credentials = setup->policy->caller_credentials(setup->key.text()); !credentials)
    return tl::unexpected(credentials.error());
  return target_of(std::move(*setup));
}

Error not_connected(const CallTarget &target, const Error &problem) {
  Error error{"not_connected", target.servers.front(), "can't connect to NATS: " + problem.text(), {}, {}};
  // A session for one rpc is made again sooner than its end is explained.
  if (problem.code == connect_error::kDenied && !target.session_file.empty() && remove_session(target.session_file))
    error.expected = "a live session: the stored one for this rpc is deleted, call again to sign in";
  return error;
}

NatsOptions connection_options(const CallTarget &target, std::string name, LastProblem &problem) {
  NatsOptions options;
  options.servers = target.servers;
  options.name = std::move(name);
  options.inbox_prefix = target.key.inbox_prefix();
  options.credentials = target.credentials;
  options.on_problem = [&problem](const Error &error) { problem.set(error); };
  return options;
}

int fail_call(const CallArguments &arguments, const CallTarget &target, const CallError &error, Output &out) {
  if (!target.session_file.empty())
    return out.fail(explain_session_error(call_error(error, arguments.rpc), target.session_file));
  out.err() << printable(error_text(error)) << std::endl;
  return 1;
}

} // namespace trellis::cli
