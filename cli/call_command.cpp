#include "call_diagnostics.h"
#include "call_setup.h"
#include "commands.h"
#include "contracts/json.h"
#include "nats/nats_transport.h"
#include "runtime/rpc_client.h"
#include "wire/ulid.h"
#include <chrono>
#include <mutex>
#include <ostream>
#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

namespace trellis::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit{5000};

// The latest thing that the connection complained about, for a message when nothing else explains a failure.
class LastProblem {
public:
  void set(const Error &error) {
    const std::lock_guard lock(mutex_);
    text_ = error.text();
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

private:
  mutable std::mutex mutex_; // guards text_, which network threads write
  std::string text_;
};

NatsOptions connection_options(const CallSetup &setup, LastProblem &problem) {
  NatsOptions options;
  options.servers = setup.config.nats_servers;
  options.name = "trellis call";
  options.inbox_prefix = setup.key.inbox_prefix();
  options.credentials = [&setup] { return setup.policy->caller_credentials(setup.key.text()); };
  options.on_problem = [&problem](const Error &error) { problem.set(error); };
  return options;
}

CallResult perform(const CallArguments &arguments, const CallSetup &setup, NatsLoop &loop, Transport &transport,
                   std::ostream &notes) {
  if (is_diagnostic(arguments)) return run_diagnostic(arguments, setup, loop, transport, notes);
  RpcClient client(transport, setup.key, [] { return unix_ms_now() / 1000; });
  CallOptions options;
  options.timeout = milliseconds(arguments.timeout_ms);
  options.request_id = arguments.request_id;
  return client.call_and_wait(setup.method, arguments.input, options);
}

std::string pretty(const std::string &json) {
  const auto document = parse_json(json);
  if (!document) return json;
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  document->Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

// A remote error that the contract doesn't declare travels inside (06 §3.3); the person at the terminal wants that one.
ErrorEnvelope shown_envelope(const ErrorEnvelope &envelope) {
  if (envelope.type != "RemoteError") return envelope;
  const auto fields = parse_json(envelope.fields);
  const JsonValue *inner = fields ? find_member(*fields, "remoteError") : nullptr;
  if (!inner) return envelope;
  auto parsed = parse_envelope(to_json(*inner));
  return parsed ? std::move(*parsed) : envelope;
}

// "AuthError: ... (insufficient_permissions)", then what a person can do about it.
std::string error_text(const CallError &error) {
  const ErrorEnvelope envelope = shown_envelope(error.envelope);
  std::string out = envelope.type + ": " + envelope.message;
  const std::string detail = envelope.reason().empty() ? envelope.code() : envelope.reason();
  if (out.find(detail) == std::string::npos) out += " (" + detail + ")";
  const auto fields = parse_json(envelope.fields);
  const JsonValue *issues = fields ? find_member(*fields, "issues") : nullptr;
  if (issues && issues->IsArray())
    for (const JsonValue &issue : issues->GetArray())
      out += "\n  " + std::string(string_member(issue, "path")) + ": " + std::string(string_member(issue, "message"));
  if (const std::string hint = envelope.field("hint"); !hint.empty()) out += "\n  " + hint;
  return out;
}

int run_call(const CallArguments &arguments, Output &out) {
  if (const auto checked = check_diagnostics(arguments); !checked) return out.fail(checked.error());
  const auto setup = prepare_call(arguments, out.err());
  if (!setup) return out.fail(setup.error());
  // Asked here too, so that a mistake in the policy file is told as such and not as a connection that fails.
  if (const auto credentials = setup->policy->caller_credentials(setup->key.text()); !credentials)
    return out.fail(credentials.error());
  const auto loop = NatsLoop::start();
  if (!loop) return out.fail(loop.error());
  LastProblem problem;
  const auto transport = NatsTransport::open(**loop, connection_options(*setup, problem));
  if (!transport->wait_connected(kConnectLimit))
    return out.fail(
        Error{"not_connected", setup->config.nats_servers.front(), "can't connect to NATS: " + problem.text(), {}, {}});

  const CallResult result = perform(arguments, *setup, **loop, *transport, out.err());
  transport->close(kConnectLimit);
  if (!result) {
    out.err() << printable(error_text(result.error())) << std::endl;
    return 1;
  }
  out.out() << (out.format() == Output::Format::json ? pretty(*result) : *result) << std::endl;
  return 0;
}

} // namespace

void add_call_command(Command root) {
  const auto arguments = std::make_shared<CallArguments>();
  auto call = root.command("call", "Send one request to a service and print its answer");
  call.argument("RPC", arguments->rpc, "name of the rpc, as in Echo.Say");
  call.argument("JSON", arguments->input, "its input");
  call.option("--config", arguments->config, "the host's trellis.toml, which names NATS and the policy file");
  call.option("--as", arguments->caller, "caller of the policy file; signs with callers/NAME.seed beside it");
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
