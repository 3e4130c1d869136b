// The auth callout against a real nats-server with the generated configuration: sealed requests, issued JWTs and their
// permissions, denials, and kicks that last.
#include "bundle_server.h"
#include "callout_testing.h"
#include "nats/nats_transport.h"
#include "platform_streams.h"
#include "session_ends.h"
#include "store/deployments.h"
#include "support/wait_until.h"
#include "wire/connect_token.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <mutex>
#include <stdexcept>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kContractId[] = "billing.invoices@v1";
constexpr char kDeployment[] = "billing-eu";
constexpr char kOwned[] = "rpc.v1.Invoices.List";

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
  bool has(const std::string &code, const std::string &where = {}) const {
    const std::lock_guard lock(mutex_);
    for (const Error &error : errors_)
      if (error.code == code && (where.empty() || error.where == where)) return true;
    return false;
  }

private:
  mutable std::mutex mutex_; // guards errors_, which network threads write
  std::vector<Error> errors_;
};

Manifest invoices() {
  return expect(Manifest::parse(R"({"format":"trellis.contract.v1","id":"billing.invoices@v1","kind":"service",)"
                                R"("displayName":"Invoices","description":"Invoices"})"));
}

struct Installation {
  BundleServer server;
  Manifest contract = invoices();
  auth::testing::Domain domain{{contract}};
  Problems problems;
  std::unique_ptr<NatsLoop> loop = expect(NatsLoop::start());
  std::unique_ptr<NatsTransport> auth_connection = control("auth-auth.creds"), system = control("system.creds"),
                                 trellis = control("trellis-auth.creds");
  std::unique_ptr<Connections> connections;
  std::unique_ptr<Callout> callout;
  std::unique_ptr<CalloutLane> lane;
  SessionKey service = SessionKey::generate(), user = SessionKey::generate();

  Installation() {
    domain.core.now = unix_ms_now;
    domain.config.target_nkey = account("trellis-account.seed");
    if (const auto made = ensure_platform_streams(domain.core, *auth_connection, *trellis, {}); !made)
      throw std::runtime_error(made.error().text());
    connections = std::make_unique<Connections>(domain.core, *auth_connection, *system, *trellis);
    callout = std::make_unique<Callout>(domain.core, *connections,
                                        CalloutKeys{seed("auth-issuer-signing.seed"), seed("auth-target-signing.seed"),
                                                    seed("auth-sx.seed"), account("auth-account.seed"),
                                                    account("trellis-account.seed")});
    lane = std::make_unique<CalloutLane>(domain.core, *callout, *auth_connection);
    if (!lane->start() || !auth_connection->flush(10s)) throw std::runtime_error("no callout lane");
    domain.change([this](Writer &db) { fill(db); });
  }

  NkeySeed seed(const std::string &file) const {
    return expect(NkeySeed::parse(trimmed(read_file(server.bundle() / "nats/secrets" / file))));
  }
  std::string account(const std::string &file) const { return seed(file).public_text(); }
  static std::string trimmed(std::string text) {
    text.erase(text.find_last_not_of(" \r\n") + 1);
    return text;
  }

  void fill(Writer &db) const {
    Grants grants;
    grants.nats.push_back({.publish = false, .subject = kOwned, .surface = {}, .required_capabilities = {}});
    put_authority(db, {.deployment_id = kDeployment, .kind = "service", .version = "v1", .desired = {}});
    put_materialization(db, {.deployment_id = kDeployment,
                             .desired_version = "v1",
                             .status = "current",
                             .grants = grants,
                             .bindings = {},
                             .reconciled_at = 1,
                             .error = {}});
    put_service_deployment(db, {kDeployment, {"billing"}, false, false});
    const auto instance = service_instance_id(service.text());
    put_service_instance(db, {instance, kDeployment, service.text(), false, {"service"}, 0});
    Offer offer;
    offer.offer_id = offer_id_of(kDeployment, instance, kContractId, contract.digest());
    offer.lineage_key = offer_lineage(kDeployment, kContractId);
    offer.deployment_id = kDeployment;
    offer.instance_id = instance;
    offer.contract_id = kContractId;
    offer.contract_digest = contract.digest();
    offer.accepted_at = 1;
    put_offer(db, offer);
    put_user(db, {.user_id = "usr_pat", .name = {}, .email = {}, .capabilities = {}, .groups = {}});
    UserSession session;
    session.user_id = "usr_pat";
    session.identity = {"idn_x", "local", "pat"};
    session.email = "pat@acme.example";
    session.participant_kind = "app";
    session.contract_digest = contract.digest();
    session.publish_subjects = {kOwned};
    put_session(db, {user.text(), unix_ms_now(), unix_ms_now(), session});
  }

  std::unique_ptr<NatsTransport> open(std::string inbox, const std::string &creds, std::function<std::string()> token) {
    NatsOptions options;
    options.servers = {server.url()};
    options.inbox_prefix = std::move(inbox);
    options.on_problem = [this](const Error &error) { problems.add(error); };
    options.credentials = [text = read_file(server.bundle() / "nats/creds" / creds),
                           token]() -> Result<ConnectionCredentials> {
      auto holder = parse_credentials(text);
      if (!holder) return tl::make_unexpected(holder.error());
      return ConnectionCredentials{.user = std::move(*holder), .auth_token = token, .expires_at = {}};
    };
    return NatsTransport::open(*loop, std::move(options));
  }
  std::unique_ptr<NatsTransport> control(const std::string &creds) {
    auto transport = open("_INBOX.control", creds, {});
    if (!transport->wait_connected(20s)) throw std::runtime_error("not connected with " + creds);
    return transport;
  }
  std::unique_ptr<NatsTransport> participant(const SessionKey &key) {
    const auto token = [text = std::string(key.seed_text().reveal()), digest = contract.digest()] {
      return make_connect_token(SessionKey::from_seed(text).value(), unix_ms_now() / 1000, digest);
    };
    return open(key.inbox_prefix(), "sentinel.creds", token);
  }
};

} // namespace

TEST_CASE("a service and a user meet on permissions that the callout issued") {
  Installation site;
  const auto service = site.participant(site.service), user = site.participant(site.user);
  REQUIRE(service->wait_connected(20s));
  REQUIRE(user->wait_connected(20s));
  const auto serving = service->subscribe(kOwned, "", [](MessagePtr message) { (void)message->respond("answer"); });
  REQUIRE(serving);
  REQUIRE(service->flush(10s));
  const auto answer = request_and_wait(*user, {.subject = kOwned, .payload = "{}"}, 10s);
  REQUIRE(answer);
  CHECK((*answer)->payload() == "answer");
  CHECK(site.connections->of_session(site.service.text())->size() == 1);
  CHECK(site.connections->of_session(site.user.text())->size() == 1);
}

TEST_CASE("nats-server refuses what the issued permissions don't give") {
  Installation site;
  const auto user = site.participant(site.user);
  REQUIRE(user->wait_connected(20s));
  REQUIRE(user->publish({.subject = "rpc.v1.Ledger.Write", .payload = "{}"}));
  CHECK(wait_until([&] { return site.problems.has(transport_error::kDenied, "rpc.v1.Ledger.Write"); }));
  const auto stolen = user->subscribe("_INBOX.>", "", [](MessagePtr) {});
  CHECK(wait_until([&] { return site.problems.has(transport_error::kDenied, "_INBOX.>"); }));
}

TEST_CASE("a stranger is denied") {
  Installation site;
  const auto stranger = site.participant(SessionKey::generate());
  CHECK(wait_until([&] { return site.problems.has(connect_error::kDenied); }));
  CHECK_FALSE(stranger->wait_connected(0ms));
  CHECK(site.connections->all()->empty());
}

TEST_CASE("a revoked session is kicked and doesn't come back") {
  Installation site;
  const auto user = site.participant(site.user);
  REQUIRE(user->wait_connected(20s));
  CHECK(expect(revoke_session(site.domain.core, *site.connections, site.user.text(), "usr_admin")));
  CHECK(wait_until([&] { return site.problems.has(connect_error::kDenied); }));
  CHECK_FALSE(user->wait_connected(0ms));
  CHECK(site.connections->all()->empty());
}

TEST_CASE("kicked by its user key, a user comes straight back") {
  Installation site;
  const auto user = site.participant(site.user);
  REQUIRE(user->wait_connected(20s));
  const auto nkey = site.connections->all()->at(0).key.user_nkey;
  CHECK(expect(kick_connections(site.domain.core, *site.connections, nkey, "usr_admin")));
  CHECK(wait_until([&] {
    const auto records = site.connections->all();
    return records && records->size() == 1 && records->at(0).key.user_nkey != nkey;
  }));
  CHECK(user->wait_connected(20s));
  CHECK_FALSE(site.problems.has(connect_error::kDenied));
}

TEST_CASE("many participants connect at once") {
  Installation site;
  std::vector<std::unique_ptr<NatsTransport>> all;
  for (int i = 0; i < 60; ++i) // one address: the limiter lets 8 of them in at a time
    all.push_back(site.participant(site.user));
  for (const auto &transport : all)
    CHECK(transport->wait_connected(60s));
  CHECK_FALSE(site.problems.has(connect_error::kDenied));
  // More where a client gave up before its answer came and tried again: such a record is left to expire (03 §9.1).
  CHECK(site.connections->of_session(site.user.text())->size() >= 60);
}
