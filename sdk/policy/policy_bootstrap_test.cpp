#include "policy/policy_test_support.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis;
using namespace trellis::test;

// ----------------------------------------------------------------------------------------------- the request's own
// part

TEST_CASE("A body that is no JSON is refused") {
  const PolicyAnswer answer = PolicyFixture("").ask("x");
  CHECK(answer.status == 400);
  CHECK(answer.body == R"({"error":"Invalid JSON body"})");
}

TEST_CASE("A body without its members is refused") {
  const PolicyFixture fixture("");
  const PolicyAnswer answer = fixture.ask(R"({"sessionKey":")" + fixture.key.text() + "\"}");
  CHECK(answer.status == 400);
  CHECK(answer.body == R"({"reason":"invalid_request"})");
}

TEST_CASE("A request that is 31 s old is refused with the server's time") {
  const PolicyFixture fixture("");
  const PolicyAnswer answer = fixture.ask(bootstrap_request(fixture.key, echo(), false, kNow - 31));
  CHECK(answer.status == 400);
  CHECK(answer.body == R"({"reason":"iat_out_of_range","serverNow":1760000000})");
}

TEST_CASE("A request that another key signed is refused") {
  const PolicyFixture fixture("");
  std::string request = bootstrap_request(SessionKey::generate(), echo(), false, kNow);
  request.replace(request.find("\"sessionKey\":\"") + 14, 43, fixture.key.text());
  const PolicyAnswer answer = fixture.ask(request);
  CHECK(answer.status == 400);
  CHECK(answer.body == R"({"reason":"invalid_signature"})");
}

TEST_CASE("The session key of a caller is no service's") {
  const SessionKey key = SessionKey::generate();
  PolicyFixture fixture(accept(echo()) + caller(key, ""), {echo()});
  fixture.key = key.clone();
  const PolicyAnswer answer = fixture.ask(echo());
  CHECK(answer.status == 404);
  CHECK(fixture.reason(echo()) == "unknown_service");
}

// ------------------------------------------------------------------------------------------------------ the contract's

TEST_CASE("An unknown digest without its contract asks for the contract") {
  const PolicyFixture fixture("");
  const PolicyAnswer answer = fixture.ask(echo(), false);
  CHECK(answer.status == 409);
  const JsonDocument body = json_of(answer.body);
  CHECK(string_member(body, "reason") == "manifest_required");
  CHECK(string_member(body, "instanceId") == service_instance_id(fixture.key.text()));
  CHECK(string_member(body, "deploymentId") == "static");
  CHECK(string_member(body, "contractId") == "acme.echo@v1");
  CHECK(string_member(body, "contractDigest") == echo().digest());
}

TEST_CASE("A contract that was presented once is known afterwards") {
  const PolicyFixture fixture("");
  fixture.ask(echo());
  CHECK(string_member(json_of(fixture.ask(echo(), false).body), "reason") == "authority_update_required");
}

TEST_CASE("A contract that isn't one is refused with what is wrong") {
  const PolicyFixture fixture("");
  std::string request = bootstrap_request(fixture.key, echo(), true, kNow);
  request.replace(request.find("trellis.contract.v1"), 19, "trellis.contract.v9");
  const PolicyAnswer answer = fixture.ask(request);
  CHECK(answer.status == 409);
  const JsonDocument body = json_of(answer.body);
  CHECK(string_member(body, "reason") == "presented_contract_invalid");
  CHECK(string_member(body, "contractError").find("/format") != std::string_view::npos);
}

TEST_CASE("A contract with another digest than announced is refused, and not remembered") {
  const PolicyFixture fixture("");
  std::string request = bootstrap_request(fixture.key, echo(), true, kNow);
  const std::size_t at = request.find("rpc.v1.Echo.Say");
  request.replace(at, 15, "rpc.v1.Echo.Yay");
  const PolicyAnswer answer = fixture.ask(request);
  CHECK(answer.status == 409);
  const JsonDocument body = json_of(answer.body);
  CHECK(string_member(body, "reason") == "presented_contract_digest_mismatch");
  CHECK(string_member(body, "expectedContractDigest") == echo().digest());
  CHECK_FALSE(find_member(body, "contractDigest"));
  CHECK(string_member(json_of(fixture.ask(echo(), false).body), "reason") == "manifest_required");
}

TEST_CASE("A contract with another id than announced is refused") {
  const PolicyFixture fixture("");
  std::string request = bootstrap_request(fixture.key, echo(), true, kNow);
  request.replace(request.find("acme.echo@v1"), 12, "acme.moin@v1");
  const JsonDocument body = json_of(fixture.ask(request).body);
  CHECK(string_member(body, "reason") == "presented_contract_id_mismatch");
  CHECK(string_member(body, "expectedContractId") == "acme.moin@v1");
  CHECK(string_member(body, "presentedContractId") == "acme.echo@v1");
  CHECK_FALSE(find_member(body, "contractId"));
}

TEST_CASE("A contract of another kind than service is refused") {
  const Manifest app = contract_of(
      R"({"format":"trellis.contract.v1","id":"acme.app@v1","displayName":"A","description":"B","kind":"app"})");
  const PolicyFixture fixture(accept(app));
  CHECK(fixture.ask(app).status == 409);
  CHECK(fixture.reason(app) == "presented_contract_invalid");
}

// ---------------------------------------------------------------------------------------------------------- ownership

TEST_CASE("A contract with a reserved id is refused") {
  const Manifest contract = service("trellis.echo@v1", rpc("Echo.Say"));
  const PolicyFixture fixture(accept(contract));
  CHECK(fixture.ask(contract).status == 409);
  CHECK(fixture.reason(contract) == "contract_catalog_issue");
}

TEST_CASE("An accepted contract still can't serve the platform's validation") {
  const Manifest contract = service("acme.evil@v1", rpc("Auth.Requests.Validate"));
  const PolicyFixture fixture(accept(contract));
  const PolicyAnswer answer = fixture.ask(contract);
  CHECK(answer.status == 409);
  CHECK(string_member(json_of(answer.body), "catalogError").find("namespace Auth") != std::string_view::npos);
}

TEST_CASE("A feed can't listen outside its section") {
  const Manifest contract = service(
      "acme.evil@v1", "",
      R"(,"feeds":{"F.All":{"version":"v1","subject":"rpc.v1.Echo.Say","input":{"schema":"Any"},"event":{"schema":"Any"}}})");
  const PolicyFixture fixture(accept(contract));
  CHECK(fixture.reason(contract) == "contract_catalog_issue");
}

TEST_CASE("A subject of an accepted contract is taken") {
  const Manifest thief = service("acme.thief@v1", rpc("Echo.Say"));
  const PolicyFixture fixture(accept(echo()) + accept(thief), {echo(), thief});
  CHECK(fixture.ask(thief).status == 409);
  CHECK(fixture.reason(thief) == "contract_catalog_issue");
}

TEST_CASE("A contract that nobody accepted takes no subject away from one that was") {
  const Manifest thief = service("acme.thief@v1", rpc("Echo.Say"));
  const PolicyFixture fixture(accept(echo()), {echo(), thief});
  CHECK(fixture.ask(echo()).status == 200);
  CHECK(fixture.reason(thief) == "contract_catalog_issue");
}

TEST_CASE("A version of a dependency that nobody accepted can't block a contract that was") {
  const Manifest rogue = service("acme.echo@v1", rpc("Shop.Buy"));
  const PolicyFixture fixture(accept(echo()) + accept(shop()), {rogue, echo(), shop()});
  CHECK(fixture.ask(shop()).status == 200);
}

TEST_CASE("Another version of the same contract may have the same subjects") {
  const Manifest next = service("acme.echo@v1", rpc("Echo.Say"));
  const PolicyFixture fixture(accept(echo()) + accept(next), {echo(), next});
  CHECK(fixture.ask(echo()).status == 200);
  CHECK(fixture.ask(next).status == 200);
}

// ------------------------------------------------------------------------------------------------- acceptance,
// readiness

TEST_CASE("A digest that isn't in the file waits, with what it asks for") {
  const PolicyFixture fixture("", {echo()});
  const PolicyAnswer answer = fixture.ask(shop());
  CHECK(answer.status == 202);
  const JsonDocument body = json_of(answer.body);
  CHECK(string_member(body, "reason") == "authority_update_required");
  CHECK(string_member(body, "classification") == "update");
  CHECK_FALSE(string_member(body, "planId").empty());
  const JsonValue *change = find_member(body, "desiredChange");
  REQUIRE(change);
  CHECK(to_json(*find_member(*change, "contracts")) ==
        R"([{"contractId":"acme.echo@v1","required":true},{"contractId":"acme.shop@v1","required":true}])");
  CHECK(to_json(*find_member(*change, "surfaces")) ==
        R"([{"contractId":"acme.echo@v1","kind":"rpc","name":"Echo.Say","action":"call","required":true}])");
  CHECK(to_json(*find_member(*find_member(body, "missingAvailability"), "capabilities")) == "[]");
  CHECK(to_json(*find_member(body, "missingCapabilities")) == "[]");
}

TEST_CASE("Asking again for the same gets the same plan") {
  const PolicyFixture fixture("");
  CHECK(fixture.ask(echo()).body == fixture.ask(echo()).body);
}

TEST_CASE("A contract whose dependency is unknown waits for it") {
  const PolicyFixture fixture(accept(shop()));
  const PolicyAnswer answer = fixture.ask(shop());
  CHECK(answer.status == 202);
  const JsonDocument body = json_of(answer.body);
  CHECK(string_member(body, "reason") == "contract_activation_pending");
  CHECK(string_member(body, "dependencyAlias") == "echo");
  CHECK(string_member(body, "dependencyContractId") == "acme.echo@v1");
  CHECK(string_member(body, "dependencyReason") == "dependency_not_active");
}

TEST_CASE("A contract whose dependency isn't accepted waits for it") {
  const PolicyFixture fixture(accept(shop()), {echo()});
  CHECK(fixture.reason(shop()) == "contract_activation_pending");
}

TEST_CASE("A contract that uses what its dependency doesn't have waits, and says what is missing") {
  const Manifest silent = service("acme.echo@v1", rpc("Echo.Repeat"));
  const PolicyFixture fixture(accept(shop()) + accept(silent), {silent});
  const JsonDocument body = json_of(fixture.ask(shop()).body);
  CHECK(string_member(body, "dependencyReason") == "missing");
  CHECK(string_member(body, "dependencyKey") == "Echo.Say");
}

TEST_CASE("A contract that requires a resource isn't ready under static policy") {
  const Manifest contract = service("acme.store@v1", rpc("Store.Get"),
                                    R"(,"resources":{"kv":{"items":{"purpose":"p","schema":{"schema":"Any"}}}})");
  const PolicyFixture fixture(accept(contract));
  CHECK(fixture.ask(contract).status == 202);
  CHECK(fixture.reason(contract) == "authority_reconciliation_failed");
}

TEST_CASE("An accepted contract is ready") {
  const PolicyFixture fixture(accept(echo()), {echo()});
  const PolicyAnswer answer = fixture.ask(echo(), false);
  CHECK(answer.status == 200);
  const std::string digest = echo().digest();
  CHECK(answer.body ==
        R"({"status":"ready","serverNow":1760000000,"connectInfo":{"sessionKey":")" + fixture.key.text() +
            R"(","contractId":"acme.echo@v1","contractDigest":")" + digest +
            R"(","transports":{},"transport":{},"auth":{"mode":"service_identity","iatSkewSeconds":30}},)" +
            R"("contract":{"id":"acme.echo@v1","digest":")" + digest +
            R"(","displayName":"Name","description":"What it does."},"binding":{"contractId":"acme.echo@v1",)" +
            R"("digest":")" + digest + R"(","resources":{}}})");
}

TEST_CASE("A ready answer has no reason") {
  const PolicyFixture fixture(accept(echo()));
  CHECK_FALSE(find_member(json_of(fixture.ask(echo()).body), "reason"));
}

// ------------------------------------------------------------------------------------------------- approval of a file

TEST_CASE("An entry with sha256 and signer accepts the contract from that file only") {
  const std::string sha(64, 'a'), other(64, 'b');
  const std::string signer = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
  const PolicyFixture fixture(accept(echo()) + "sha256 = \"" + sha + "\"\nsigner = \"" + signer + "\"\n");
  CHECK(fixture.ask(echo(), {sha, signer, false}).status == 200);
  CHECK(fixture.ask(echo(), {sha, signer, true}).status == 200);
  const auto changed = fixture.ask(echo(), {other, signer, false});
  CHECK(changed.status == 202);
  CHECK(string_member(json_of(changed.body), "reason") == "authority_update_required");
  CHECK(string_member(json_of(changed.body), "message").find(other) != std::string_view::npos);
  CHECK(fixture.ask(echo(), {sha, "", false}).status == 202);
  // The file that is accepted may be running, and go on connecting, while another one asks.
  CHECK(fixture.policy->credentials(fixture.key, echo().digest(), ""));
}

TEST_CASE("With approve = artifact an entry for any file isn't enough") {
  const std::string sha(64, 'a');
  const PolicyFixture any(accept(echo()));
  CHECK(any.ask(echo(), {sha, "", false}).status == 200);
  CHECK(any.ask(echo(), {sha, "", true}).status == 202);
  // One entry for each file: the old and the new one during a change.
  const PolicyFixture both(accept(echo()) + "sha256 = \"" + sha + "\"\n" + accept(echo()) + "sha256 = \"" +
                           std::string(64, 'b') + "\"\n");
  CHECK(both.ask(echo(), {sha, "", true}).status == 200);
  CHECK(both.ask(echo(), {std::string(64, 'b'), "", true}).status == 200);
  CHECK(both.ask(echo(), {std::string(64, 'c'), "", true}).status == 202);
}
