#include "call_diagnostics.h"
#include "call_errors.h"
#include "call_setup.h"
#include "call_target.h"
#include "commands.h"
#include "last_problem.h"
#include "nats/nats_transport.h"
#include "runtime/rpc_client.h"
#include "wire/ulid.h"
#include <chrono>
#include <ostream>

namespace trellis::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit{5000};

CallResult perform(const CallArguments &arguments, const CallTarget &target, NatsLoop &loop, Transport &transport,
                   std::ostream &notes) {
  if (is_diagnostic(arguments)) return run_diagnostic(arguments, target, loop, transport, notes);
  RpcClient client(transport, target.key, target.now);
  CallOptions options;
  options.timeout = milliseconds(arguments.timeout_ms);
  options.request_id = arguments.request_id;
  return client.call_and_wait(target.method, arguments.input, options);
}

int run_call(const CallArguments &arguments, Output &out) {
  if (const auto checked = check_diagnostics(arguments); !checked) return out.fail(checked.error());
  const auto target = find_target(arguments, out);
  if (!target) return out.fail(target.error());
  const auto loop = NatsLoop::start();
  if (!loop) return out.fail(loop.error());
  LastProblem problem;
  const auto transport = NatsTransport::open(**loop, connection_options(*target, "trellis call", problem));
  if (!transport->wait_connected(kConnectLimit)) return out.fail(not_connected(*target, problem.last()));

  const CallResult result = perform(arguments, *target, **loop, *transport, out.err());
  transport->close(kConnectLimit);
  if (!result) return fail_call(arguments, *target, result.error(), out);
  out.out() << (out.format() == Output::Format::json ? pretty_json(*result) : *result) << std::endl;
  return 0;
}

} // namespace

void add_call_command(Command root) {
  const auto arguments = std::make_shared<CallArguments>();
  auto call = root.command("call", "Send one request to a service and print its answer");
  call.argument("RPC", arguments->rpc, "name of the rpc, as in Echo.Say");
  call.argument("JSON", arguments->input, "its input");
  call.option("--config", arguments->config,
              "trellis.toml of a host with static policy; without it the login session is used");
  call.option("--as", arguments->caller,
              "caller of the policy file (default local); signs with callers/NAME.seed beside it");
  call.option("--contract", arguments->contract,
              "contract id, manifest or plugin file, when the rpc's name isn't enough");
  call.number("--timeout", arguments->timeout_ms, 1, 3'600'000, "how long to wait for an answer, in milliseconds");
  call.option("--request-id", arguments->request_id, "id of the request instead of a fresh one");
  call.flag("--forge", arguments->forge, "diagnostic: what a service answers to a signature of another key");
  call.flag("--replay", arguments->replay, "diagnostic: what a service answers to the same request a second time");
  call.flag("--expired", arguments->expired, "diagnostic: what a service answers to a request of 31 seconds ago");
  call.flag("--reply-outside", arguments->reply_outside,
            "diagnostic: what a service answers when the answer would go to another's inbox");
  call.action([arguments](Output &out) { return run_call(*arguments, out); });
}

} // namespace trellis::cli
