#include "contracts/health_contract.h"
#include "policy/policy_test_support.h"
#include "wire/jwt.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis;
using namespace trellis::test;

namespace {

struct Claims {
  explicit Claims(const Result<ConnectionCredentials> &credentials) {
    REQUIRE(credentials);
    auto decoded = decode_jwt(credentials->user.jwt);
    REQUIRE(decoded);
    jwt = std::move(*decoded);
  }
  std::string nats(std::initializer_list<const char *> path) const {
    const JsonValue *found = find_member(jwt.claims, "nats");
    for (const char *name : path)
      if (found) found = find_member(*found, name);
    return found ? (found->IsString() ? std::string(text_of(*found)) : to_json(*found)) : std::string();
  }
  bool may_publish(const std::string &subject) const { return lists("pub", subject); }
  bool may_subscribe(const std::string &subject) const { return lists("sub", subject); }
  bool lists(const char *side, const std::string &subject) const {
    return nats({side, "allow"}).find("\"" + subject + "\"") != std::string::npos;
  }
  DecodedJwt jwt;
};

} // namespace

// ---------------------------------------------------------------------------------------------------- NATS credentials

TEST_CASE("A ready service may serve its own subjects and call what it uses") {
  const PolicyFixture fixture(accept(echo()) + accept(shop()), {echo(), shop()});
  REQUIRE(fixture.ask(shop()).status == 200);
  const Claims claims(fixture.policy->credentials(fixture.key, shop().digest(), ""));
  CHECK(claims.may_subscribe("rpc.v1.Shop.Buy"));
  CHECK(claims.may_subscribe(fixture.key.inbox_prefix() + ".>"));
  CHECK(claims.may_publish("rpc.v1.Echo.Say"));
  CHECK_FALSE(claims.may_publish("rpc.v1.Echo.Repeat"));
  CHECK_FALSE(claims.may_publish("rpc.v1.Shop.Buy"));
  CHECK_FALSE(claims.may_subscribe("rpc.v1.Echo.Say"));
}

TEST_CASE("A service's JWT is signed by the account's signing key and ends") {
  const PolicyFixture fixture(accept(echo()));
  REQUIRE(fixture.ask(echo()).status == 200);
  const auto credentials = fixture.policy->credentials(fixture.key, echo().digest(), "");
  const Claims claims(credentials);
  CHECK(claims.jwt.issuer == fixture.folder.signing_key().public_text());
  CHECK(claims.nats({"issuer_account"}) == fixture.folder.account().public_text());
  CHECK(claims.jwt.subject == credentials->user.seed.public_text());
  CHECK(claims.jwt.expires_at == kNow + 3600);
  CHECK(credentials->expires_at == kNow + 3600);
  CHECK(claims.jwt.name == "acme.echo@v1");
}

TEST_CASE("Each connection has a user key of its own") {
  const PolicyFixture fixture(accept(echo()));
  REQUIRE(fixture.ask(echo()).status == 200);
  const auto first = fixture.policy->credentials(fixture.key, echo().digest(), "");
  const auto second = fixture.policy->credentials(fixture.key, echo().digest(), "");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->user.seed.public_text() != second->user.seed.public_text());
}

TEST_CASE("An rpc connection may answer each request once") {
  const PolicyFixture fixture(accept(echo()));
  REQUIRE(fixture.ask(echo()).status == 200);
  const Claims claims(fixture.policy->credentials(fixture.key, echo().digest(), "rpc"));
  CHECK(claims.nats({"resp", "max"}) == "1");
}

TEST_CASE("A stream connection may answer as long as its JWT lives") {
  const PolicyFixture fixture(accept(echo()));
  REQUIRE(fixture.ask(echo()).status == 200);
  const Claims claims(fixture.policy->credentials(fixture.key, echo().digest(), "stream"));
  CHECK(claims.nats({"resp", "max"}) == "65535");
  CHECK(claims.nats({"resp", "ttl"}) == "3600000000000");
}

TEST_CASE("A service that doesn't stream gets no long response permission by default") {
  const PolicyFixture fixture(accept(echo()));
  REQUIRE(fixture.ask(echo()).status == 200);
  const Claims claims(fixture.policy->credentials(fixture.key, echo().digest(), ""));
  CHECK(claims.nats({"resp", "max"}) == "65535");
}

TEST_CASE("There are no credentials before the answer was ready") {
  const PolicyFixture fixture(accept(echo()));
  CHECK(fixture.policy->credentials(fixture.key, echo().digest(), "").error().code == "policy_denied");
}

TEST_CASE("There are no credentials for another contract of the same key") {
  const PolicyFixture fixture(accept(echo()) + accept(shop()), {echo(), shop()});
  REQUIRE(fixture.ask(echo()).status == 200);
  CHECK(fixture.policy->credentials(fixture.key, shop().digest(), "").error().code == "policy_denied");
}

TEST_CASE("A caller may call what the file says it uses, and answer nothing twice") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(accept(echo()) + caller(key, R"("acme.echo@v1" = ["Echo.Say"])"), {echo()});
  const Claims claims(fixture.policy->caller_credentials(key.text()));
  CHECK(claims.may_publish("rpc.v1.Echo.Say"));
  CHECK_FALSE(claims.may_publish("rpc.v1.Echo.Repeat"));
  CHECK(claims.nats({"sub", "allow"}) == "[\"" + key.inbox_prefix() + ".>\"]");
  CHECK(claims.nats({"resp", "max"}) == "1");
  CHECK(claims.jwt.name == "shop");
}

TEST_CASE("A star stands for all rpcs of a contract") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(accept(echo()) + caller(key, R"("acme.echo@v1" = "*")"), {echo()});
  const Claims claims(fixture.policy->caller_credentials(key.text()));
  CHECK(claims.may_publish("rpc.v1.Echo.Say"));
  CHECK(claims.may_publish("rpc.v1.Echo.Repeat"));
}

TEST_CASE("A version that nobody accepted doesn't change what a caller may call") {
  const SessionKey key = SessionKey::generate();
  const Manifest next = service("acme.echo@v1", rpc("Echo.Erase"));
  const PolicyFixture fixture(accept(echo()) + caller(key, R"("acme.echo@v1" = "*")"), {next, echo()});
  const Claims claims(fixture.policy->caller_credentials(key.text()));
  CHECK(claims.may_publish("rpc.v1.Echo.Say"));
  CHECK_FALSE(claims.may_publish("rpc.v1.Echo.Erase"));
}

TEST_CASE("A contract that nobody accepted gives no caller the subjects of one that was") {
  const SessionKey key = SessionKey::generate();
  const Manifest thief = service("acme.thief@v1", rpc("Echo.Say"));
  const PolicyFixture fixture(accept(echo()) + caller(key, R"("acme.thief@v1" = "*")"), {thief, echo()});
  const Claims claims(fixture.policy->caller_credentials(key.text()));
  CHECK_FALSE(claims.may_publish("rpc.v1.Echo.Say"));
  CHECK_FALSE(fixture.validate(key, "rpc.v1.Echo.Say")->allowed);
}

TEST_CASE("A contract that claims the platform's subjects gives nobody any") {
  const SessionKey key = SessionKey::generate();
  const Manifest evil = service("acme.evil@v1", rpc("Auth.Users.Create"));
  const PolicyFixture fixture(accept(evil) + caller(key, R"("acme.evil@v1" = "*")"), {evil});
  CHECK_FALSE(Claims(fixture.policy->caller_credentials(key.text())).may_publish("rpc.v1.Auth.Users.Create"));
}

namespace {

Manifest with_heartbeats(const char *direction) {
  return service("acme.nurse@v1", rpc("Nurse.Call"),
                 R"(,"uses":{"required":{"health":{"contract":"trellis.health@v1","events":{")" +
                     std::string(direction) + R"(":["Health.Heartbeat"]}}}})");
}

} // namespace

TEST_CASE("Heartbeats need no entry in the policy file, and give what the contract asks for") {
  const Manifest nurse = with_heartbeats("publish"), watch = with_heartbeats("subscribe");
  const PolicyFixture fixture(accept(nurse) + accept(watch) + accept(echo()), {nurse, watch, echo()});
  for (const auto &contract : {nurse, watch, echo()})
    REQUIRE(fixture.ask(contract).status == 200);
  const auto claims = [&](const Manifest &contract) {
    return Claims(fixture.policy->credentials(fixture.key, contract.digest(), ""));
  };
  CHECK(claims(nurse).may_publish("events.v1.Health.Heartbeat"));
  CHECK_FALSE(claims(nurse).may_subscribe("events.v1.Health.Heartbeat"));
  CHECK(claims(watch).may_subscribe("events.v1.Health.Heartbeat"));
  CHECK_FALSE(claims(watch).may_publish("events.v1.Health.Heartbeat"));
  CHECK(claims(echo()).nats({"pub", "allow"}).find("Health") == std::string::npos);
  CHECK(claims(echo()).nats({"sub", "allow"}).find("Health") == std::string::npos);
}

TEST_CASE("The contract of heartbeats gives callers nothing") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture plain(caller(key, "")), asking(caller(key, R"("trellis.health@v1" = "*")"));
  const Claims nothing(plain.policy->caller_credentials(key.text()));
  const Claims claims(asking.policy->caller_credentials(key.text()));
  CHECK(claims.nats({"pub", "allow"}) == nothing.nats({"pub", "allow"}));
  CHECK(claims.nats({"sub", "allow"}) == "[\"" + key.inbox_prefix() + ".>\"]");
}

TEST_CASE("Nobody can serve the contract of heartbeats, or another version of it") {
  std::string other = std::string(health_contract_text());
  other.replace(other.find("\"number\""), 8, "\"integer\"");
  const Manifest forged = contract_of(other);
  REQUIRE(forged.digest() != health_contract().digest());
  const PolicyFixture fixture(accept(forged) + accept(health_contract()), {forged, health_contract()});
  CHECK(fixture.reason(forged) == "contract_catalog_issue");
  CHECK(fixture.reason(health_contract()) == "contract_catalog_issue");
  const Manifest nurse = with_heartbeats("publish");
  const PolicyFixture with_forged(accept(forged) + accept(nurse), {forged, nurse});
  REQUIRE(with_forged.ask(forged).status == 409); // presented, and now a contract that was seen
  CHECK(with_forged.ask(nurse).status == 200);
}

TEST_CASE("A caller that may call nothing still has a response permission, because NATS reads none as everything") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(caller(key, R"("acme.echo@v1" = ["Echo.Say"])"));
  const Claims claims(fixture.policy->caller_credentials(key.text()));
  CHECK(claims.nats({"resp", "max"}) == "1");
  CHECK_FALSE(claims.may_publish("rpc.v1.Echo.Say"));
}

TEST_CASE("A caller that uses an rpc that doesn't exist is told so, with the entry's line") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(caller(key, R"("acme.echo@v1" = ["Echo.Sya"])"), {echo()});
  const auto credentials = fixture.policy->caller_credentials(key.text());
  REQUIRE_FALSE(credentials);
  CHECK(credentials.error().code == "caller_uses");
  CHECK(credentials.error().where.find("policy.toml:") != std::string::npos);
  CHECK(credentials.error().message.find("Echo.Sya") != std::string::npos);
}

TEST_CASE("A key that isn't in the file is no caller") {
  CHECK(PolicyFixture("").policy->caller_credentials(SessionKey::generate().text()).error().code == "caller_unknown");
}

// ---------------------------------------------------------------------------------------------------------- validation

TEST_CASE("A caller's request is allowed on what it uses and disallowed elsewhere") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(accept(echo()) + caller(key, R"("acme.echo@v1" = ["Echo.Say"])"), {echo()});
  const auto said = fixture.validate(key, "rpc.v1.Echo.Say");
  REQUIRE(said);
  CHECK(said->allowed);
  const auto repeated = fixture.validate(key, "rpc.v1.Echo.Repeat");
  REQUIRE(repeated);
  CHECK_FALSE(repeated->allowed);
}

TEST_CASE("A caller needs the capability that the rpc requires") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture without(caller(key, R"("acme.shop@v1" = "*")"), {echo(), shop()});
  CHECK_FALSE(without.validate(key, "rpc.v1.Shop.Buy", {"acme.shop::buy"})->allowed);
  const PolicyFixture with(caller(key, R"("acme.shop@v1" = "*")", R"("acme.shop::buy")"), {echo(), shop()});
  CHECK(with.validate(key, "rpc.v1.Shop.Buy", {"acme.shop::buy"})->allowed);
}

TEST_CASE("A caller is described as a user's agent") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(caller(key, "", R"("acme.a::b")"));
  const auto validation = fixture.validate(key, "rpc.v1.X");
  REQUIRE(validation);
  CHECK(validation->caller->caller ==
        R"({"type":"user","participantKind":"agent","userId":"shop","identity":{"identityId":"idn_c3RhdGljOnNob3A",)"
        R"("provider":"static","subject":"shop"},"active":true,"name":"shop","email":"shop@static.invalid",)"
        R"("capabilities":["acme.a::b"],"lastAuth":"2025-10-09T08:53:20.000Z"})");
  CHECK(validation->caller->inbox_prefix == key.inbox_prefix());
}

TEST_CASE("A stranger has no session") {
  const auto validation = PolicyFixture("").validate(SessionKey::generate(), "rpc.v1.Echo.Say");
  REQUIRE_FALSE(validation);
  CHECK(validation.error().reason() == "session_not_found");
}

TEST_CASE("A plugin is a caller as soon as it is ready") {
  const PolicyFixture fixture(accept(echo()) + accept(shop()), {echo(), shop()});
  CHECK_FALSE(fixture.validate(fixture.key, "rpc.v1.Echo.Say"));
  REQUIRE(fixture.ask(shop()).status == 200);
  const auto validation = fixture.validate(fixture.key, "rpc.v1.Echo.Say");
  REQUIRE(validation);
  CHECK(validation->allowed);
  CHECK(validation->caller->caller == R"({"type":"service","id":")" + fixture.key.text() +
                                          R"(","name":"Name","active":true,"capabilities":["service"]})");
}

// -------------------------------------------------------------------------------------------------------------- reload

TEST_CASE("After an acceptance is removed, its plugin gets nothing more") {
  const PolicyFixture fixture(accept(echo()), {echo()});
  REQUIRE(fixture.ask(echo()).status == 200);
  fixture.folder.write("");
  REQUIRE(fixture.policy->reload());
  CHECK(fixture.policy->credentials(fixture.key, echo().digest(), "").error().code == "policy_denied");
  CHECK_FALSE(fixture.validate(fixture.key, "rpc.v1.Echo.Say"));
  CHECK(fixture.reason(echo()) == "authority_update_required");
}

TEST_CASE("After a caller is removed, its requests are refused at once") {
  const SessionKey key = SessionKey::generate();
  const PolicyFixture fixture(caller(key, R"("acme.echo@v1" = "*")"), {echo()});
  const auto validator = fixture.policy->validator();
  REQUIRE(fixture.validate(key, "rpc.v1.Echo.Say"));
  fixture.folder.write("");
  REQUIRE(fixture.policy->reload());
  CHECK_FALSE(fixture.validate(key, "rpc.v1.Echo.Say"));
  CHECK(fixture.policy->caller_credentials(key.text()).error().code == "caller_unknown");
}

TEST_CASE("A reload tells that answers may differ") {
  const PolicyFixture fixture("");
  int changes = 0;
  fixture.policy->on_change([&changes] { ++changes; });
  REQUIRE(fixture.policy->reload());
  CHECK(changes == 1);
}

TEST_CASE("A change callback may ask the policy") {
  const PolicyFixture fixture("", {echo()});
  int status = 0;
  fixture.policy->on_change([&] { status = fixture.ask(echo()).status; });
  fixture.folder.write(accept(echo()));
  REQUIRE(fixture.policy->reload());
  CHECK(status == 200);
}

TEST_CASE("A broken file changes nothing") {
  const PolicyFixture fixture(accept(echo()), {echo()});
  REQUIRE(fixture.ask(echo()).status == 200);
  int changes = 0;
  fixture.policy->on_change([&changes] { ++changes; });
  fixture.folder.write("[[accept]]\n");
  CHECK_FALSE(fixture.policy->reload());
  CHECK(changes == 0);
  CHECK(fixture.policy->credentials(fixture.key, echo().digest(), ""));
}

TEST_CASE("A validator outlives the policy that made it") {
  const SessionKey key = SessionKey::generate();
  std::shared_ptr<Validator> validator;
  {
    const PolicyFixture fixture(caller(key, R"("acme.echo@v1" = "*")"), {echo()});
    validator = fixture.policy->validator();
  }
  const Sha256 hash = sha256(as_bytes("{}"));
  const std::vector<std::string> none;
  const std::string proof = make_request_proof(key, "rpc.v1.Echo.Say", hash, kNow, "r1");
  CHECK(validator->validate({key.text(), proof, "rpc.v1.Echo.Say", hash, kNow, "r1", none, false}));
}
