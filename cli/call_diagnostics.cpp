#include "call_diagnostics.h"
#include "contracts/encoding.h"
#include "policy/policy_file.h"
#include "policy/static_policy_grants.h"
#include "wire/names.h"
#include "wire/proof.h"
#include "wire/ulid.h"
#include <atomic>
#include <chrono>
#include <future>
#include <ostream>

namespace trellis::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit{5000};

milliseconds timeout_of(const CallArguments &arguments) {
  return milliseconds(arguments.timeout_ms);
}

tl::unexpected<CallError> not_done(const Error &error) {
  return tl::unexpected(
      CallError{transport_error_envelope("trellis.request.failed", error.text(), "The diagnostic wasn't carried out."),
                true, error.code});
}

CallResult decoded(const RpcMethod &method, const Result<MessagePtr> &reply) {
  if (!reply) return tl::unexpected(transport_failure(method, reply.error()));
  return decode_reply(method, (*reply)->header(wire::kStatus) == wire::kStatusError, (*reply)->payload());
}

CallResult send(const CallArguments &arguments, const RpcMethod &method, const SignedRequest &request,
                Transport &transport) {
  const Outbound message{.subject = request.subject, .payload = request.payload, .headers = &request.headers};
  return decoded(method, request_and_wait(transport, message, timeout_of(arguments)));
}

// A proof over the same request by a key that isn't the caller's.
void forge_proof(SignedRequest &request, const SessionKey &caller, std::int64_t iat, std::string_view request_id) {
  const SessionKey other = SessionKey::generate();
  const Sha256 digest =
      request_proof_digest(caller.text(), request.subject, sha256(as_bytes(request.payload)), iat, request_id);
  for (Header &header : request.headers)
    if (header.name == wire::kProof) header.value = other.sign_digest(digest);
}

// Reads the inbox of a key that isn't the caller's: who can mint the caller's JWT can mint this one too.
struct Observer {
  StaticPolicyFile policy;
  NkeySeed signing_key;
  SessionKey key = SessionKey::generate();

  ConnectionCredentials credentials() const {
    Permissions permissions;
    permissions.subscribe = {key.inbox_prefix() + ".>"};
    return mint_user({signing_key, policy.account, policy.jwt_life}, "observer", permissions, "rpc",
                     unix_ms_now() / 1000);
  }
};

Result<Observer> make_observer(const host::Config &config) {
  auto policy = load_static_policy(config.policy.file);
  if (!policy) return tl::unexpected(policy.error());
  auto signing_key = read_signing_seed(policy->signing_seed_file);
  if (!signing_key) return tl::unexpected(signing_key.error());
  return Observer{std::move(*policy), std::move(*signing_key)};
}

// `observer` outlives the connection.
std::unique_ptr<NatsTransport> connect_observer(const Observer &observer, const host::Config &config, NatsLoop &loop) {
  NatsOptions options;
  options.servers = config.nats_servers;
  options.name = "trellis call --reply-outside";
  options.inbox_prefix = observer.key.inbox_prefix();
  options.credentials = [&observer] { return Result<ConnectionCredentials>(observer.credentials()); };
  return NatsTransport::open(loop, std::move(options));
}

// The first message on a subject, as a future.
struct FirstMessage {
  std::promise<MessagePtr> arrived;
  std::atomic<bool> taken{false};
  void take(MessagePtr message) {
    if (!taken.exchange(true)) arrived.set_value(std::move(message));
  }
};

CallResult send_with_outside_reply(const CallArguments &arguments, const CallTarget &target,
                                   const SignedRequest &request, NatsLoop &loop, Transport &transport) {
  if (!target.config)
    return not_done(Error{"call_option",
                          "--reply-outside",
                          "needs another's connection, made with the account's key",
                          "--config of a host with static policy",
                          {}});
  const auto observer = make_observer(*target.config);
  if (!observer) return not_done(observer.error());
  const std::string inbox = observer->key.inbox_prefix() + ".answer";
  FirstMessage answer;
  const auto listening = connect_observer(*observer, *target.config, loop);
  const auto subscription =
      listening->subscribe(inbox, "", [&answer](MessagePtr message) { answer.take(std::move(message)); });
  if (!subscription) return not_done(subscription.error());
  if (!listening->wait_connected(kConnectLimit))
    return not_done(Error{"not_connected", target.servers.front(), "the observer can't connect", {}, {}});
  if (const auto flushed = listening->flush(kConnectLimit); !flushed) return not_done(flushed.error());

  const Outbound message{
      .subject = request.subject, .reply = inbox, .payload = request.payload, .headers = &request.headers};
  if (const auto published = transport.publish(message); !published)
    return tl::unexpected(transport_failure(target.method, published.error()));
  auto arrived = answer.arrived.get_future();
  if (arrived.wait_for(timeout_of(arguments)) != std::future_status::ready)
    return decoded(target.method,
                   tl::unexpected(Error{transport_error::kTimeout, request.subject, "no answer", {}, {}}));
  return decoded(target.method, arrived.get());
}

} // namespace

bool is_diagnostic(const CallArguments &arguments) {
  return arguments.forge || arguments.replay || arguments.expired || arguments.reply_outside;
}

Result<void> check_diagnostics(const CallArguments &arguments) {
  const int count = arguments.forge + arguments.replay + arguments.expired + arguments.reply_outside;
  if (count <= 1) return {};
  return fail("call_option", "diagnostics", "several at once would hide each other", "one of them");
}

CallResult run_diagnostic(const CallArguments &arguments, const CallTarget &target, NatsLoop &loop,
                          Transport &transport, std::ostream &notes) {
  const std::int64_t now = target.now();
  const std::int64_t iat = arguments.expired ? now - kFreshnessSeconds - 1 : now;
  const std::string request_id = arguments.request_id.empty() ? new_ulid() : arguments.request_id;
  auto request = sign_request(target.method, arguments.input, target.key, iat, request_id);
  if (!request) return tl::unexpected(request.error());
  if (arguments.forge) forge_proof(*request, target.key, iat, request_id);
  if (arguments.reply_outside) return send_with_outside_reply(arguments, target, *request, loop, transport);
  if (arguments.replay) {
    const auto first = send(arguments, target.method, *request, transport);
    notes << "first request: " << (first ? "answered" : "refused, " + first.error().envelope.type) << "\n";
  }
  return send(arguments, target.method, *request, transport);
}

} // namespace trellis::cli
