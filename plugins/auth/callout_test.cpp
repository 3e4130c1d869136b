// The callout over a real store: what the vectors don't say.
#include "callout.h"

#include "callout_testing.h"
#include "contracts/json.h"
#include "store/deployments.h"
#include "wire/connect_token.h"
#include "wire/jwt.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::auth;
using auth::testing::Domain;
using auth::testing::Sent;
using auth::testing::ServerSide;

namespace {

constexpr char kContractId[] = "billing.invoices@v1";
constexpr char kDeployment[] = "billing-eu";

Manifest invoices() {
  return Manifest::parse(R"({"format":"trellis.contract.v1","id":"billing.invoices@v1","displayName":"Invoices",)"
                         R"("description":"Invoices","kind":"service"})")
      .value();
}

// A domain with one of each: an approved service instance, a registered device, a user's session.
struct Setup {
  Manifest contract = invoices();
  Domain domain{{contract}};
  ServerSide server;
  CalloutKeys keys = auth::testing::generated_callout_keys();
  std::string xkey = keys.xkey.public_text();
  SessionKey service = SessionKey::generate(), device = SessionKey::generate(), user = SessionKey::generate();
  Callout callout{domain.core, domain.connections, std::move(keys)};

  Setup() {
    domain.change([&](Writer &db) {
      put_authority_of(db, "v1");
      put_service_deployment(db, {kDeployment, {"billing"}, false, false});
      put_service_instance(db,
                           {service_instance_id(service.text()), kDeployment, service.text(), false, {"service"}, 0});
      put_offer(db, offer());
      add_contract(db, {contract.digest(), kContractId, "", "", contract.normalized(), 0});
      put_device_deployment(db, {kDeployment, false, false});
      put_device_instance(db, {device_instance_id(device.text()), device.text(), kDeployment, "registered",
                               std::nullopt, 0, std::nullopt, std::nullopt});
      put_user(db, {.user_id = "usr_pat", .name = "Pat", .email = {}, .capabilities = {"a::b"}, .groups = {}});
      put_session(db, user_session());
    });
  }

  static void put_authority_of(Writer &db, const std::string &version) {
    put_authority(db, {.deployment_id = kDeployment, .kind = "service", .version = version, .desired = {}});
    Grants grants;
    grants.nats.push_back({.publish = false,
                           .subject = "feeds.v1.Invoices.Changes",
                           .surface = Surface{kContractId, SurfaceKind::feed, "Invoices.Changes"},
                           .required_capabilities = {},
                           .source = GrantSource::owned_surface});
    put_materialization(db, {.deployment_id = kDeployment,
                             .desired_version = version,
                             .status = "current",
                             .grants = grants,
                             .bindings = {},
                             .reconciled_at = 1,
                             .error = {}});
  }

  Offer offer() const {
    Offer offer;
    offer.offer_id = "offer-1";
    offer.lineage_key = offer_lineage(kDeployment, kContractId);
    offer.deployment_id = kDeployment;
    offer.instance_id = service_instance_id(service.text());
    offer.contract_id = kContractId;
    offer.contract_digest = contract.digest();
    offer.liveness = "disconnected";
    offer.accepted_at = 1;
    return offer;
  }

  Session user_session() const {
    UserSession session;
    session.user_id = "usr_pat";
    session.identity = {"idn_x", "local", "pat"};
    session.email = "pat@acme.example";
    session.participant_kind = "app";
    session.contract_digest = contract.digest();
    session.capabilities = {"a::b"};
    session.publish_subjects = {"rpc.v1.A"};
    return {user.text(), domain.now, domain.now, session};
  }

  std::string token(const SessionKey &key, std::int64_t offset = 0, std::string_view use = {}) const {
    return make_connect_token(key, domain.now / 1000 + offset, contract.digest(), use);
  }
  Bytes request(std::string_view auth_token, std::string_view info = R"({"host":"192.0.2.10","id":77})") const {
    return server.sealed(server.request_jwt(server.nats_claims(auth_token, info), domain.now / 1000), xkey);
  }
  CalloutAnswer ask(std::string_view auth_token) {
    return callout.handle(server.xkey.public_text(), request(auth_token));
  }
  std::string denial(const SessionKey &key, std::int64_t offset = 0) { return ask(token(key, offset)).denial; }

  JsonDocument user_claims(const CalloutAnswer &answer) {
    const auto response = decode_jwt(server.opened(answer.payload, xkey)).value();
    return std::move(decode_jwt(string_member(response.claims["nats"], "jwt"))->claims);
  }
  std::string resp_of(const CalloutAnswer &answer) { return to_json(user_claims(answer)["nats"]["resp"]); }
  Offer stored_offer() {
    domain.settle();
    return domain.db->read([](Reader &db) { return offers_of_deployment(db, kDeployment).at(0); }).value();
  }
};

} // namespace

TEST_CASE("a token is fresh for 30 seconds either way and not for 31") {
  Setup setup;
  for (const std::int64_t offset : {-30, -29, 0, 29, 30})
    CHECK(setup.denial(setup.user, offset).empty());
  for (const std::int64_t offset : {-31, 31})
    CHECK(setup.denial(setup.user, offset) == "iat_out_of_range");
}

TEST_CASE("freshness counts whole seconds of the one clock") {
  Setup setup;
  const auto token = setup.token(setup.user);
  setup.domain.now += 30999;
  CHECK(setup.ask(token).denial.empty());
  setup.domain.now += 1;
  CHECK(setup.ask(token).denial == "iat_out_of_range");
}

TEST_CASE("a request that can't be read gets the empty reply and changes nothing") {
  Setup setup;
  const auto answer = setup.callout.handle(setup.server.xkey.public_text(), as_bytes("no xkv1"));
  CHECK(answer.payload.empty());
  CHECK_FALSE(answer.silent);
  CHECK(setup.domain.journal.all().empty());
  CHECK(setup.domain.log_lines.size() == 1);
}

TEST_CASE("a request sent twice is answered twice: the token has no replay protection") {
  Setup setup;
  const auto payload = setup.request(setup.token(setup.service));
  CHECK(setup.callout.handle(setup.server.xkey.public_text(), payload).denial.empty());
  CHECK(setup.callout.handle(setup.server.xkey.public_text(), payload).denial.empty());
  CHECK(setup.domain.auth.bucket("trellis_connections").size() == 1);
}

TEST_CASE("effects come in order: session, presence record, event") {
  Setup setup;
  std::vector<std::string> seen;
  setup.domain.journal.on_send([&](const Sent &sent) {
    seen.push_back(sent.subject);
    if (seen.size() == 1) CHECK(setup.domain.session(setup.service.text()));
  });
  CHECK(setup.denial(setup.service).empty());
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].starts_with("$KV.trellis_connections."));
  CHECK(seen[1] == "events.v1.Auth.Connections.Opened");
}

TEST_CASE("without JetStream participants still get in") {
  Setup setup;
  setup.domain.auth.break_streams(true);
  setup.domain.trellis.break_streams(true);
  CHECK(setup.denial(setup.service).empty());
  CHECK(setup.denial(setup.user).empty());
}

TEST_CASE("a presence record that JetStream doesn't take holds a callout up for a second at most") {
  Setup setup;
  setup.domain.auth.silence_streams(true);
  CHECK(setup.denial(setup.service).empty());
  CHECK(setup.domain.auth.waited() <= std::chrono::seconds(1)); // of the protocol's two (03 §2.3)
  setup.domain.auth.silence_streams(false);
  CHECK(setup.domain.auth.bucket("trellis_connections").empty());
  setup.domain.connections.store_backlog();
  CHECK(setup.domain.auth.bucket("trellis_connections").size() == 1);
}

TEST_CASE("a connection whose record isn't stored yet is listed, and kicked with its session") {
  Setup setup;
  setup.domain.auth.break_streams(true);
  CHECK(setup.denial(setup.user).empty());
  setup.domain.auth.break_streams(false);
  CHECK(setup.domain.connections.of_session(setup.user.text())->size() == 1);
  setup.domain.connections.kick_session(setup.user.text());
  CHECK(setup.domain.journal.with_prefix("$SYS.REQ.SERVER.").size() == 1);
  setup.domain.connections.store_backlog();
  CHECK(setup.domain.auth.bucket("trellis_connections").empty());
}

TEST_CASE("a session's connections are kicked as far as they are known while JetStream is away") {
  Setup setup;
  setup.domain.auth.break_streams(true);
  CHECK(setup.denial(setup.user).empty());
  setup.domain.connections.kick_session(setup.user.text());
  CHECK(setup.domain.journal.with_prefix("$SYS.REQ.SERVER.").size() == 1);
}

TEST_CASE("a user whose session is revoked while JetStream is away doesn't get in, and leaves no record") {
  Setup setup;
  setup.domain.auth.silence_streams(true);
  setup.domain.journal.on_send([&](const Sent &sent) {
    if (sent.subject.starts_with("$KV.") && sent.headers.empty())
      setup.domain.change([&](Writer &db) { delete_session(db, setup.user.text()); });
  });
  CHECK(setup.denial(setup.user) == "session_not_found");
  CHECK(setup.domain.auth.waited() <= std::chrono::seconds(2));
  setup.domain.auth.silence_streams(false);
  setup.domain.connections.store_backlog();
  CHECK(setup.domain.auth.bucket("trellis_connections").empty());
}

TEST_CASE("only so many records wait for JetStream, and one more is an error in the log") {
  Domain domain;
  domain.config.limits.connection_backlog = 2;
  Connections connections(domain.core, domain.auth, domain.system, domain.trellis);
  domain.auth.break_streams(true);
  for (const char *nkey : {"UA", "UB", "UC"})
    CHECK_FALSE(connections.record({{std::string(43, 'S'), "usr_1", nkey}, "NSERVER", 7, ""}));
  REQUIRE(domain.log_lines.size() == 1);
  CHECK(domain.log_lines.front().find("limits.connectionBacklog") != std::string::npos);
  domain.auth.break_streams(false);
  connections.store_backlog();
  CHECK(domain.auth.bucket("trellis_connections").size() == 2);
}

TEST_CASE("a client without a number has no presence record") {
  Setup setup;
  const auto payload = setup.request(setup.token(setup.user), R"({"host":"192.0.2.10"})");
  CHECK(setup.callout.handle(setup.server.xkey.public_text(), payload).denial.empty());
  CHECK(setup.domain.auth.bucket("trellis_connections").empty());
  CHECK(setup.domain.journal.with_prefix("events.v1.Auth.Connections.Opened").size() == 1);
}

TEST_CASE("a device has a presence record and no event") {
  Setup setup;
  CHECK(setup.denial(setup.device).empty());
  CHECK(setup.domain.auth.bucket("trellis_connections").size() == 1);
  CHECK(setup.domain.journal.with_prefix("events.").empty());
}

TEST_CASE("an offer is refreshed even when the authority isn't there yet") {
  Setup setup;
  setup.domain.change([](Writer &db) {
    put_authority(db, {.deployment_id = kDeployment, .kind = "service", .version = "v2", .desired = {}});
  });
  CHECK(setup.denial(setup.service) == "service_authority_miss");
  CHECK(setup.stored_offer().liveness == "disconnected"); // path A failed at A7
  setup.domain.change([](Writer &db) { Setup::put_authority_of(db, "v2"); });
  CHECK(setup.denial(setup.service).empty());
  CHECK(setup.stored_offer().liveness == "healthy");
}

TEST_CASE("an offer is refreshed when a later step denies") {
  Setup setup;
  setup.domain.change([&](Writer &db) {
    auto session = setup.user_session(); // a user's session under the service's key
    session.session_key = setup.service.text();
    session.of = UserSession(*session.user());
    std::get<UserSession>(session.of).user_id = "usr_gone";
    put_session(db, session);
  });
  CHECK(setup.denial(setup.service) == "user_not_found");
  CHECK(setup.stored_offer().liveness == "healthy");
  CHECK(setup.stored_offer().last_refreshed_at == setup.domain.now.load());
}

TEST_CASE("an offer that is stale, or expires now, is none") {
  Setup setup;
  auto offer = setup.offer();
  offer.stale_at = setup.domain.now.load();
  setup.domain.change([&](Writer &db) { put_offer(db, offer); });
  CHECK(setup.denial(setup.service) == "contract_changed");
  offer.stale_at = setup.domain.now + 1;
  setup.domain.change([&](Writer &db) { put_offer(db, offer); });
  CHECK(setup.denial(setup.service).empty());
  CHECK_FALSE(setup.stored_offer().stale_at);
}

TEST_CASE("a stored contract of another id or format isn't the offered one") {
  Setup setup;
  auto offer = setup.offer();
  const auto document = GENERATE(as<std::string>{}, R"({"format":"trellis.contract.v2"})", "no json", "[]");
  offer.offer_id = "offer-2";
  offer.contract_digest = "digest2";
  setup.domain.change([&](Writer &db) {
    put_offer(db, offer);
    add_contract(db, {"digest2", kContractId, "", "", document, 0});
  });
  const auto token = make_connect_token(setup.service, setup.domain.now / 1000, "digest2");
  CHECK(setup.ask(token).denial == "contract_changed");
}

TEST_CASE("sessions of services and devices live on with each callout, a user's doesn't") {
  Setup setup;
  for (const auto *key : {&setup.service, &setup.device})
    CHECK(setup.denial(*key).empty());
  const auto first = setup.domain.now.load();
  setup.domain.now += 3600000;
  for (const auto *key : {&setup.service, &setup.device, &setup.user})
    CHECK(setup.denial(*key).empty());
  setup.domain.settle();
  for (const auto *key : {&setup.service, &setup.device}) {
    const auto session = setup.domain.session(key->text()).value();
    CHECK(session.created_at == first);
    CHECK(session.last_auth == first + 3600000);
  }
  CHECK(setup.domain.session(setup.user.text())->last_auth == first);
}

TEST_CASE("a reconnect that changes nothing makes no commit that others wait for") {
  Setup setup;
  CHECK(setup.denial(setup.service).empty());
  const auto version = setup.domain.db->version();
  CHECK(setup.denial(setup.service).empty());
  CHECK(setup.domain.db->version() == version);
}

TEST_CASE("a user's session that expired is unknown, and ends in the device path") {
  Setup setup;
  setup.domain.now += 86400000;
  CHECK(setup.denial(setup.user).empty());
  setup.domain.now += 1;
  CHECK(setup.denial(setup.user) == "unknown_device");
}

TEST_CASE("a session record that can't be read is denied without details") {
  Setup setup;
  setup.domain.change(
      [&](Writer &db) { db.execute("UPDATE sessions SET record = '{}' WHERE session_key = ?1", {setup.user.text()}); });
  const auto answer = setup.ask(setup.token(setup.user));
  CHECK(answer.denial == "internal_error");
  CHECK_FALSE(answer.payload.empty());
}

TEST_CASE("an instance that is disabled during its callout doesn't get in") {
  Setup setup;
  setup.domain.journal.on_send([&](const Sent &sent) { // after the decision: the presence record is being put
    if (!sent.subject.starts_with("$KV.") || !sent.headers.empty()) return;
    setup.domain.change([&](Writer &db) {
      auto instance = service_instance_of_key(db, setup.service.text()).value();
      instance.disabled = true;
      put_service_instance(db, instance);
    });
  });
  CHECK(setup.denial(setup.service) == "service_disabled");
  CHECK(setup.domain.auth.bucket("trellis_connections").empty());
}

TEST_CASE("a user whose session is revoked during the callout doesn't get in") {
  Setup setup;
  setup.domain.journal.on_send([&](const Sent &sent) {
    if (sent.subject.starts_with("$KV.") && sent.headers.empty())
      setup.domain.change([&](Writer &db) { delete_session(db, setup.user.text()); });
  });
  CHECK(setup.denial(setup.user) == "session_not_found");
  CHECK(setup.domain.auth.bucket("trellis_connections").empty());
}

TEST_CASE("a streaming service's response permission lasts as long as its JWT") {
  Setup setup;
  setup.domain.config.ttl_ms.nats_jwt = 20000;
  const auto answer = setup.ask(setup.token(setup.service));
  CHECK(setup.resp_of(answer) == R"({"max":65535,"ttl":20000000000})");
  const auto claims = setup.user_claims(answer);
  CHECK(claims["exp"].GetInt64() == setup.domain.now / 1000 + 20);
}

TEST_CASE("a service's connection may ask for one response, or for a stream of them") {
  Setup setup;
  CHECK(setup.resp_of(setup.ask(setup.token(setup.service, 0, "rpc"))) == R"({"max":1})");
  CHECK(setup.resp_of(setup.ask(setup.token(setup.service, 0, "stream"))) == R"({"max":65535,"ttl":3600000000000})");
}

TEST_CASE("users and devices get one response whatever they ask for") {
  Setup setup;
  for (const auto *key : {&setup.user, &setup.device})
    for (const char *use : {"", "rpc", "stream"})
      CHECK(setup.resp_of(setup.ask(setup.token(*key, 0, use))) == R"({"max":1})");
}

TEST_CASE("what is logged about a denial names the code and never the token") {
  Setup setup;
  const auto token = setup.token(SessionKey::generate());
  CHECK(setup.ask(token).denial == "unknown_device");
  const auto &line = setup.domain.log_lines.back();
  CHECK(line.find("unknown_device") != std::string::npos);
  CHECK(line.find(parse_connect_token(token)->signature) == std::string::npos);
}
