#include "validation.h"

#include "callout_testing.h"
#include "contracts/json.h"
#include "replay/replay_cache.h"
#include "store/deployments.h"
#include "wire/proof.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <rapidjson/document.h>
#include <thread>

using namespace trellis;
using namespace trellis::auth;
using auth::testing::Domain;

namespace {

constexpr char kSubject[] = "rpc.v1.Invoices.List";

struct Setup {
  Domain domain;
  std::unique_ptr<ReplayCache> replay = ReplayCache::in_memory().value();
  Validation validation{domain.core, *replay};
  SessionKey user = SessionKey::generate(), service = SessionKey::generate(), device = SessionKey::generate();
  Sha256 payload = sha256(as_bytes("{}"));
  int requests = 0;

  Setup() {
    domain.change([&](Writer &db) {
      put_user(db, {.user_id = "usr_pat", .name = "Pat", .email = {}, .capabilities = {"a::b"}, .groups = {}});
      put_session(db, user_session());
      put_service_deployment(db, {"billing-eu", {}, false, false});
      put_service_instance(db, {"svc_1", "billing-eu", service.text(), false, {"service", "x::y", "x::y"}, 0});
      put_session(db, {service.text(), domain.now, domain.now,
                       ServiceSession{"tid", "e", "billing-eu", "svc_1", "billing-eu", {}, {}}});
      put_device_deployment(db, {"sensor.eu", false, false});
      put_device_instance(db, {"dev_1", device.text(), "sensor.eu", "registered", {}, 0, {}, {}});
      put_session(db, {device.text(), domain.now, domain.now,
                       DeviceSession{"dev_1", "sensor.eu", "c@v1", "d", {"d::c"}, {"rpc.v1.Readings.>"}, {}, {}, {}}});
    });
  }

  Session user_session() const {
    UserSession session;
    session.user_id = "usr_pat";
    session.identity = {"idn_x", "local", "pat"};
    session.email = "pat@acme.example";
    session.name = "Pat";
    session.participant_kind = "app";
    session.contract_digest = "d";
    session.capabilities = {"a::b"};
    session.publish_subjects = {"rpc.v1.Invoices.*"};
    return {user.text(), domain.now, domain.now, session};
  }

  struct Ask {
    std::string_view subject = kSubject;
    double iat_offset = 0;
    std::string request_id = {}; // "" = a new one
    std::vector<std::string_view> capabilities = {};
    std::string proof = {}; // "" = a right one
    bool proof_checked = false;
  };
  tl::expected<ValidateOutcome, ErrorEnvelope> ask(const SessionKey &key, const Ask &ask) {
    const double iat = std::floor(static_cast<double>(domain.now) / 1000) + ask.iat_offset;
    const std::string id = ask.request_id.empty() ? "r" + std::to_string(++requests) : ask.request_id;
    const std::string proof = ask.proof.empty()
                                  ? make_request_proof(key, ask.subject, payload, static_cast<std::int64_t>(iat), id)
                                  : ask.proof;
    return validation.validate({key.text(), proof, ask.subject, id, payload, iat, ask.proof_checked, ask.capabilities});
  }
  auto ask(const SessionKey &key) { return ask(key, Ask{}); }
  std::string reason(const SessionKey &key, const Ask &with) {
    const auto outcome = ask(key, with);
    return outcome ? "" : outcome.error().type == "AuthError" ? outcome.error().reason() : outcome.error().type;
  }
  std::string reason(const SessionKey &key) { return reason(key, Ask{}); }
};

} // namespace

TEST_CASE("a user's caller object carries the session, and its delegated capabilities") {
  Setup setup;
  const auto outcome = setup.ask(setup.user);
  REQUIRE(outcome);
  CHECK(outcome->allowed);
  CHECK(outcome->caller->inbox_prefix == setup.user.inbox_prefix());
  CHECK(outcome->caller->json ==
        R"({"type":"user","participantKind":"app","userId":"usr_pat","identity":{"identityId":"idn_x",)"
        R"("provider":"local","subject":"pat"},"active":true,"name":"Pat","email":"pat@acme.example",)"
        R"("capabilities":["a::b"],"lastAuth":"2026-01-01T00:00:00.000Z"})");
}

TEST_CASE("a service may call anything, and holds its instance's capabilities once each") {
  Setup setup;
  const auto outcome = setup.ask(setup.service, {.subject = "rpc.v1.Anything", .capabilities = {"service", "x::y"}});
  REQUIRE(outcome);
  CHECK(outcome->allowed);
  CHECK(outcome->caller->json == R"({"type":"service","id":")" + setup.service.text() +
                                     R"(","name":"billing-eu","active":true,"capabilities":["service","x::y"]})");
}

TEST_CASE("a device's type is its deployment up to the first dot") {
  Setup setup;
  const auto outcome = setup.ask(setup.device, {.subject = "rpc.v1.Readings"});
  REQUIRE(outcome);
  CHECK(outcome->allowed); // ">" matches an empty rest
  const auto caller = parse_json(outcome->caller->json).value();
  CHECK(string_member(caller, "deviceType") == "sensor");
  CHECK(string_member(caller, "runtimePublicKey") == setup.device.text());
}

TEST_CASE("a subject or capability that isn't held is a success that says no") {
  Setup setup;
  CHECK_FALSE(setup.ask(setup.user, {.subject = "rpc.v1.Ledger.Read"})->allowed);
  CHECK_FALSE(setup.ask(setup.user, {.subject = "rpc.v1.Invoices.List.More"})->allowed);
  CHECK_FALSE(setup.ask(setup.user, {.capabilities = {"a::b", "admin"}})->allowed);
  CHECK(setup.ask(setup.user, {.capabilities = {"a::b"}})->allowed);
}

TEST_CASE("iat counts as sent: whole, safe and at most 30 seconds off") {
  Setup setup;
  for (const double offset : {-30.0, 0.0, 30.0})
    CHECK(setup.reason(setup.user, {.iat_offset = offset}).empty());
  for (const double offset : {-31.0, 31.0, 0.5, 1e300, std::numeric_limits<double>::quiet_NaN()})
    CHECK(setup.reason(setup.user, {.iat_offset = offset, .proof = "x"}) == "iat_out_of_range");
}

TEST_CASE("freshness is checked before the proof, the proof before the session") {
  Setup setup;
  const auto stranger = SessionKey::generate();
  CHECK(setup.reason(stranger, {.iat_offset = 60, .proof = "x"}) == "iat_out_of_range");
  CHECK(setup.reason(stranger, {.proof = "x"}) == "invalid_signature");
  CHECK(setup.reason(stranger) == "session_not_found");
}

TEST_CASE("a proof that the host checked isn't checked again, everything else is") {
  Setup setup;
  CHECK(setup.reason(setup.user, {.proof = "x", .proof_checked = true}).empty());
  CHECK(setup.reason(setup.user, {.iat_offset = 31, .proof = "x", .proof_checked = true}) == "iat_out_of_range");
  CHECK(setup.reason(SessionKey::generate(), {.proof = "x", .proof_checked = true}) == "session_not_found");
}

TEST_CASE("a request id works once for each session, and a repetition that found no session doesn't count") {
  Setup setup;
  CHECK(setup.reason(setup.user, {.request_id = "one"}).empty());
  CHECK(setup.reason(setup.user, {.request_id = "one"}) == "invalid_signature");
  CHECK(setup.reason(setup.service, {.request_id = "one"}).empty());
  const auto late = SessionKey::generate();
  CHECK(setup.reason(late, {.request_id = "two"}) == "session_not_found");
  CHECK(setup.reason(late, {.request_id = "two"}) == "session_not_found");
  auto session = setup.user_session();
  session.session_key = late.text();
  setup.domain.change([&](Writer &db) { put_session(db, session); });
  CHECK(setup.reason(late, {.request_id = "two"}).empty());
}

TEST_CASE("a request is recorded before its principal is looked at") {
  Setup setup;
  setup.domain.change([](Writer &db) {
    put_user(db, {.user_id = "usr_pat", .name = {}, .email = {}, .active = false, .capabilities = {}, .groups = {}});
  });
  CHECK(setup.reason(setup.user, {.request_id = "one"}) == "user_inactive");
  CHECK(setup.reason(setup.user, {.request_id = "one"}) == "invalid_signature");
}

TEST_CASE("what a change takes away is gone at the next request") {
  Setup setup;
  for (const auto *key : {&setup.user, &setup.service, &setup.device})
    CHECK(setup.reason(*key, {.subject = "rpc.v1.X"}).empty());
  setup.domain.change([&](Writer &db) {
    put_user(db, {.user_id = "usr_pat", .name = {}, .email = {}, .capabilities = {}, .groups = {}});
    put_service_instance(db, {"svc_1", "billing-eu", setup.service.text(), true, {"service"}, 0});
    put_device_deployment(db, {"sensor.eu", false, true});
  });
  CHECK(setup.reason(setup.user) == "insufficient_permissions");
  CHECK(setup.reason(setup.service) == "service_disabled");
  CHECK(setup.reason(setup.device) == "device_deployment_disabled");
  setup.domain.change([&](Writer &db) {
    for (const auto *key : {&setup.user, &setup.service, &setup.device})
      delete_session(db, key->text());
  });
  for (const auto *key : {&setup.user, &setup.service, &setup.device})
    CHECK(setup.reason(*key) == "session_not_found");
}

TEST_CASE("lookups are kept as long as nothing that is decided changes") {
  Setup setup;
  const auto first = setup.ask(setup.user)->caller;
  CHECK(setup.ask(setup.user)->caller == first);
  setup.domain.db->write_behind([](Writer &) -> Result<void> { return {}; });
  CHECK(setup.ask(setup.user)->caller == first);
  setup.domain.change([](Writer &db) { put_device_deployment(db, {"other", false, false}); });
  CHECK(setup.ask(setup.user)->caller != first);
}

TEST_CASE("only so many lookups are kept, the oldest goes first") {
  Setup setup;
  setup.domain.config.limits.validation_cache = 2;
  Validation small(setup.domain.core, *setup.replay);
  const auto caller = [&](const SessionKey &key) {
    const std::string id = "r" + std::to_string(++setup.requests);
    const auto iat = std::floor(static_cast<double>(setup.domain.now) / 1000);
    return small.validate({key.text(), "", kSubject, id, setup.payload, iat, true, {}}).value().caller;
  };
  const auto user = caller(setup.user), service = caller(setup.service);
  CHECK(caller(setup.user) == user);
  const auto device = caller(setup.device);
  CHECK(caller(setup.device) == device);
  CHECK(caller(setup.service) == service);
  CHECK(caller(setup.user) != user);
}

TEST_CASE("a session that expires is noticed although it was looked up before") {
  Setup setup;
  CHECK(setup.reason(setup.user).empty());
  setup.domain.now += 86400000;
  CHECK(setup.reason(setup.user).empty());
  setup.domain.now += 1;
  CHECK(setup.reason(setup.user) == "session_not_found");
}

TEST_CASE("a session that lived on meanwhile doesn't expire at its old time") {
  Setup setup;
  CHECK(setup.reason(setup.service).empty());
  setup.domain.now += 86400000;
  setup.domain.change([&](Writer &db) { touch_session(db, setup.service.text(), setup.domain.now); });
  setup.domain.now += 1000;
  CHECK(setup.reason(setup.service).empty());
}

TEST_CASE("sessions don't expire when their lifetime is zero") {
  Setup setup;
  setup.domain.config.ttl_ms.sessions = 0;
  setup.domain.now += std::int64_t{10} * 365 * 86400000;
  CHECK(setup.reason(setup.user).empty());
}

TEST_CASE("reasons carry what they are about") {
  Setup setup;
  setup.domain.change([&](Writer &db) {
    put_user(db, {.user_id = "usr_pat", .name = {}, .email = {}, .active = false, .capabilities = {}, .groups = {}});
    db.execute("UPDATE sessions SET record = '{}' WHERE session_key = ?1", {setup.device.text()});
    delete_service_instance(db, "svc_1");
  });
  CHECK(setup.ask(setup.user).error().context == R"({"userId":"usr_pat"})");
  CHECK(setup.reason(setup.device) == "session_corrupted");
  CHECK(setup.ask(setup.device).error().context == R"({"sessionKey":")" + setup.device.text() + "\"}");
  CHECK(setup.reason(setup.service) == "unknown_service");
}

TEST_CASE("many threads ask at once while the records change") {
  Setup setup;
  std::vector<std::thread> threads;
  std::atomic<int> allowed = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        const auto outcome = setup.ask(setup.user, {.request_id = id, .proof = "x", .proof_checked = true});
        if (outcome && outcome->allowed) ++allowed;
      }
    });
  for (int i = 0; i < 20; ++i)
    setup.domain.change([&](Writer &db) { put_device_deployment(db, {"d" + std::to_string(i), false, false}); });
  for (auto &thread : threads)
    thread.join();
  CHECK(allowed == 200);
}
