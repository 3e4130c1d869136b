// `local init` against a real nats-server: what the generated configuration lets each kind of user do, and what NATS
// itself refuses.
#include "bundle_server.h"
#include "nats/nats_transport.h"
#include "policy/policy.h"
#include "runtime/rpc_client.h"
#include "runtime/rpc_service.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <mutex>
#include <stdexcept>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kEcho[] = R"({"format":"trellis.contract.v1","id":"acme.echo@v1","displayName":"Echo","kind":"service",
  "description":"Answers with the same.","schemas":{"M":{"type":"object","required":["message"]}},
  "rpc":{"Echo.Say":{"version":"v1","subject":"rpc.v1.Echo.Say","input":{"schema":"M"},"output":{"schema":"M"}},
         "Echo.Repeat":{"version":"v1","subject":"rpc.v1.Echo.Repeat","input":{"schema":"M"},"output":{"schema":"M"}}}})";
constexpr char kInput[] = R"({"message":"hello"})";

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

// What a connection complained about.
class Problems {
public:
  void add(const Error &error) {
    const std::lock_guard lock(mutex_);
    errors_.push_back(error);
  }
  bool denied(const std::string &subject) const {
    const std::lock_guard lock(mutex_);
    for (const Error &error : errors_)
      if (error.code == transport_error::kDenied && error.where == subject) return true;
    return false;
  }

private:
  mutable std::mutex mutex_; // guards errors_, which network threads write
  std::vector<Error> errors_;
};

struct Fixture {
  Fixture() {
    const std::string generated = read_file(server.bundle() / "policy.toml");
    write_file(server.bundle() / "policy.toml", generated +
                                                    "\"acme.echo@v1\" = [\"Echo.Say\"]\n[[accept]]\ncontract = \"" +
                                                    echo.id() + "\"\ndigest = \"" + echo.digest() + "\"\n");
    policy = expect(StaticPolicy::open(server.bundle() / "policy.toml", "", unix_ms_now));
    policy->set_known_contracts({echo});
  }

  std::unique_ptr<NatsTransport> connect(const std::string &inbox_prefix,
                                         std::function<Result<ConnectionCredentials>()> credentials) {
    NatsOptions options;
    options.servers = {server.url()};
    options.name = "test";
    options.inbox_prefix = inbox_prefix;
    options.credentials = std::move(credentials);
    options.on_problem = [this](const Error &error) { problems.add(error); };
    return NatsTransport::open(*loop, std::move(options));
  }

  std::unique_ptr<NatsTransport> connect_service() {
    PolicyAnswer answer;
    policy->bootstrap(bootstrap_request(service_key, echo, true, unix_ms_now() / 1000),
                      [&answer](PolicyAnswer given) { answer = std::move(given); });
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    auto transport =
        connect(service_key.inbox_prefix(), [this] { return policy->credentials(service_key, echo.digest(), "rpc"); });
    REQUIRE(transport->wait_connected(10s));
    return transport;
  }

  std::unique_ptr<NatsTransport> connect_caller() {
    auto transport =
        connect(caller_key.inbox_prefix(), [this] { return policy->caller_credentials(caller_key.text()); });
    REQUIRE(transport->wait_connected(10s));
    return transport;
  }

  // Serves one rpc as the host does, on the network thread.
  std::unique_ptr<Subscription> serve(Transport &transport, const RpcMethod &method) {
    auto subscription = transport.subscribe(method.subject, method.subject, [this, &method](MessagePtr message) {
      const auto admitted = admit(method, *message, *policy->validator());
      const auto *refused = std::get_if<RpcReply>(&admitted);
      const RpcReply reply = refused ? *refused : success_reply(method, std::get<AdmittedRequest>(admitted).input, "");
      send_reply(method, *message, reply, "");
    });
    REQUIRE(subscription);
    REQUIRE(transport.flush(10s));
    return std::move(*subscription);
  }

  BundleServer server;
  Manifest echo = expect(Manifest::parse(kEcho));
  SessionKey service_key = SessionKey::generate();
  SessionKey caller_key = expect(SessionKey::from_seed(read_file(server.bundle() / "callers/local.seed")));
  std::unique_ptr<StaticPolicy> policy;
  Problems problems;
  std::unique_ptr<NatsLoop> loop = expect(NatsLoop::start());
};

CallResult call(Transport &transport, const SessionKey &key, const RpcMethod &method) {
  RpcClient client(transport, key, [] { return unix_ms_now() / 1000; });
  return client.call_and_wait(method, kInput);
}

} // namespace

TEST_CASE("nats-server finds nothing wrong with the generated configuration") {
  const BundleServer server;
  const auto checked =
      run_program({"/usr/bin/env", "nats-server", "-t", "-c", (server.bundle() / "nats/nats.conf").string()});
  INFO(checked.err);
  CHECK(checked.status == 0);
}

TEST_CASE("a service and a caller of the policy file meet, without a callout service") {
  Fixture fixture;
  const auto say = expect(compile_rpc(fixture.echo, "Echo.Say"));
  const auto service = fixture.connect_service();
  const auto serving = fixture.serve(*service, say);
  const auto caller = fixture.connect_caller();
  const auto answer = call(*caller, fixture.caller_key, say);
  REQUIRE(answer);
  CHECK(*answer == kInput);
}

TEST_CASE("NATS refuses a call that the caller's uses don't give") {
  Fixture fixture;
  const auto repeat = expect(compile_rpc(fixture.echo, "Echo.Repeat"));
  const auto service = fixture.connect_service();
  const auto serving = fixture.serve(*service, repeat);
  const auto caller = fixture.connect_caller();
  const auto answer = call(*caller, fixture.caller_key, repeat);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().local);
  CHECK(answer.error().transport_code == transport_error::kDenied);
}

TEST_CASE("NATS refuses a service that publishes where its contract gives it nothing") {
  Fixture fixture;
  const auto service = fixture.connect_service();
  REQUIRE(service->publish({.subject = "rpc.v1.Echo.Say", .payload = "{}"}));
  CHECK(wait_until([&] { return fixture.problems.denied("rpc.v1.Echo.Say"); }));
}

TEST_CASE("NATS refuses a service that listens where its contract gives it nothing") {
  Fixture fixture;
  const auto service = fixture.connect_service();
  const auto subscription = service->subscribe("rpc.v1.Other.Say", "", [](const MessagePtr &) {});
  CHECK(wait_until([&] { return !subscription || fixture.problems.denied("rpc.v1.Other.Say"); }));
}

TEST_CASE("NATS refuses a caller that listens outside its inbox") {
  Fixture fixture;
  const auto caller = fixture.connect_caller();
  const auto subscription = caller->subscribe("rpc.v1.Echo.Say", "", [](const MessagePtr &) {});
  CHECK(wait_until([&] { return !subscription || fixture.problems.denied("rpc.v1.Echo.Say"); }));
}

TEST_CASE("a service on an rpc connection can answer a request once") {
  Fixture fixture;
  const auto service = fixture.connect_service();
  std::mutex mutex;
  std::string answered;
  const auto twice = service->subscribe("rpc.v1.Echo.Say", "", [&](const MessagePtr &message) {
    const std::lock_guard lock(mutex);
    answered = message->reply();
    for (int count = 0; count < 2; ++count)
      static_cast<void>(service->publish({.subject = answered, .payload = kInput}));
  });
  REQUIRE(twice);
  REQUIRE(service->flush(10s));
  const auto caller = fixture.connect_caller();
  CHECK(call(*caller, fixture.caller_key, expect(compile_rpc(fixture.echo, "Echo.Say"))));
  CHECK(wait_until([&] {
    const std::lock_guard lock(mutex);
    return fixture.problems.denied(answered);
  }));
}

TEST_CASE("the sentinel gets in only through a callout service") {
  Fixture fixture;
  const auto sentinel = fixture.connect("_INBOX.sentinel", [&]() -> Result<ConnectionCredentials> {
    auto user = parse_credentials(read_file(fixture.server.bundle() / "nats/creds/sentinel.creds"));
    if (!user) return tl::unexpected(user.error());
    return ConnectionCredentials{std::move(*user), nullptr, std::nullopt};
  });
  CHECK_FALSE(sentinel->wait_connected(3s));
}

TEST_CASE("the control plane's own users get in without one") {
  Fixture fixture;
  for (const char *file : {"system.creds", "auth-auth.creds", "trellis-auth.creds"}) {
    INFO(file);
    const auto user = fixture.connect("_INBOX.control", [&]() -> Result<ConnectionCredentials> {
      auto credentials = parse_credentials(read_file(fixture.server.bundle() / "nats/creds" / file));
      if (!credentials) return tl::unexpected(credentials.error());
      return ConnectionCredentials{std::move(*credentials), nullptr, std::nullopt};
    });
    CHECK(user->wait_connected(10s));
  }
}
