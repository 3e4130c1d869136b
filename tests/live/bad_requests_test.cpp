// Requests that are malformed, forged, replayed, expired or misdirected, as bytes on the wire, against a running host.
#include "live_host.h"
#include "wire/proof.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kSubject[] = "rpc.v1.Echo.Say";
constexpr char kGood[] = R"({"message":"hi"})";

// One request, every part of which can be spoiled before it is sent.
struct Request {
  std::string payload = kGood;
  std::string signed_payload = kGood;
  std::string signed_subject = kSubject;
  std::int64_t age = 0;                            // seconds
  std::map<std::string, std::string> headers = {}; // replaces the real ones; "-" leaves one out
};

struct Door : LiveHost {
  Door() {
    set_plugin("echo", {built("echo-c.so")});
    accept(built("echo-c.so"));
    set_caller("clerk", {{}, {{"acme.echo@v1", {"*"}}}});
    start();
    clerk = connect("clerk");
  }

  Headers headers_for(const Request &request, const SessionKey &key) const {
    const auto iat = unix_ms_now() / 1000 - request.age;
    const auto id = new_ulid();
    std::map<std::string, std::string> all = {
        {"session-key", key.text()},
        {"iat", std::to_string(iat)},
        {"request-id", id},
        {"proof", make_request_proof(key, request.signed_subject, sha256(as_bytes(request.signed_payload)), iat, id)}};
    for (const auto &[name, value] : request.headers)
      all[name] = value;
    Headers out;
    for (const auto &[name, value] : all)
      if (value != "-") out.push_back({name, value});
    return out;
  }

  ErrorEnvelope refusal(const Request &request, const SessionKey *key = nullptr) {
    const auto headers = headers_for(request, key ? *key : clerk->key());
    const auto reply = request_and_wait(clerk->transport(),
                                        {.subject = kSubject, .payload = request.payload, .headers = &headers}, 5s);
    REQUIRE(reply);
    REQUIRE((*reply)->header("status") == "error");
    auto envelope = parse_envelope((*reply)->payload());
    REQUIRE(envelope);
    return *envelope;
  }

  std::unique_ptr<Caller> clerk;
};

} // namespace

TEST_CASE(
    "payloads that are no JSON text get an UnexpectedError, wrong ones a ValidationError, before any proof counts") {
  Door door;
  for (const std::string &payload :
       {std::string("not json"), std::string(), std::string("{\"message\":"), std::string("\xFF\xFE"),
        std::string(200000, '['), std::string("{\"message\":\"\xC3\x28\"}"), std::string("\0", 1)}) {
    INFO(payload.substr(0, 40));
    CHECK(door.refusal({.payload = payload, .headers = {{"proof", "-"}}}).type == "UnexpectedError");
  }
  for (const char *payload : {"null", "[]", "{}", R"({"message":1})", "1e400", R"({"message":null})"}) {
    INFO(payload);
    CHECK(door.refusal({.payload = payload, .headers = {{"proof", "-"}}}).type == "ValidationError");
  }
}

TEST_CASE("the last of duplicate members counts, for the schema and for the handler") {
  Door door;
  const std::string payload = R"({"message":5,"message":"last"})";
  Request request{.payload = payload, .signed_payload = payload};
  const auto headers = door.headers_for(request, door.clerk->key());
  const auto reply =
      request_and_wait(door.clerk->transport(), {.subject = kSubject, .payload = payload, .headers = &headers}, 5s);
  REQUIRE(reply);
  CHECK((*reply)->payload() == R"({"message":"last"})");
}

TEST_CASE("missing, misspelt and malformed headers are named by their reason") {
  Door door;
  struct Case {
    std::map<std::string, std::string> headers;
    const char *reason;
  };
  const auto bad = GENERATE(
      Case{{{"session-key", "-"}}, "missing_session_key"},
      Case{{{"session-key", "-"}, {"Session-Key", "x"}}, "missing_session_key"},
      Case{{{"proof", "-"}}, "missing_proof"}, Case{{{"proof", "AAAA"}}, "invalid_signature"},
      Case{{{"proof", std::string(86, 'A')}}, "invalid_signature"}, Case{{{"iat", "-"}}, "invalid_signature"},
      Case{{{"iat", "soon"}}, "invalid_signature"}, Case{{{"iat", "99999999999999999999"}}, "invalid_signature"},
      Case{{{"request-id", "-"}}, "invalid_signature"}, Case{{{"session-key", "short"}}, "invalid_signature"},
      Case{{{"session-key", std::string(43, '!')}}, "invalid_signature"});
  std::string text;
  for (const auto &[name, value] : bad.headers)
    text += name + ": \"" + value + "\" ";
  INFO(text);
  CHECK(door.refusal({.headers = bad.headers}).reason() == bad.reason);
}

TEST_CASE("an empty header is refused, whatever nats.c makes of the line after it") {
  Door door;
  for (const char *name : {"session-key", "proof", "iat", "request-id"}) {
    INFO(name);
    CHECK(door.refusal({.headers = {{name, ""}}}).type == "AuthError");
  }
}

TEST_CASE("a forged proof, and one for another payload or subject, are refused") {
  Door door;
  CHECK(door.refusal({.signed_payload = R"({"message":"other"})"}).reason() == "invalid_signature");
  CHECK(door.refusal({.signed_subject = "rpc.v1.Echo.Other"}).reason() == "invalid_signature");
  const auto stranger = SessionKey::generate();
  // Signed by a key that isn't the one in the header.
  CHECK(door.refusal({.headers = {{"session-key", door.clerk->key().text()}}}, &stranger).reason() ==
        "invalid_signature");
}

TEST_CASE("a proof by a key that the policy doesn't know is refused") {
  Door door;
  const auto stranger = SessionKey::generate();
  CHECK(door.refusal({}, &stranger).reason() == "session_not_found");
}

TEST_CASE("an expired proof is refused, and one from the future") {
  Door door;
  CHECK(door.refusal({.age = 32}).reason() == "iat_out_of_range");
  CHECK(door.refusal({.age = -32}).reason() == "iat_out_of_range");
}

TEST_CASE("the same request sent twice is answered once") {
  Door door;
  const auto headers = door.headers_for({}, door.clerk->key());
  const Outbound message{.subject = kSubject, .payload = kGood, .headers = &headers};
  const auto first = request_and_wait(door.clerk->transport(), message, 5s);
  const auto second = request_and_wait(door.clerk->transport(), message, 5s);
  REQUIRE(first);
  REQUIRE(second);
  CHECK((*first)->payload() == kGood);
  CHECK((*second)->payload().find("invalid_signature") != std::string_view::npos);
}

TEST_CASE("a reply subject outside the caller's inbox is refused, and the handler doesn't run") {
  Door door;
  // Another caller's inbox would be refused by NATS already; this one the clerk may publish a reply subject for.
  const auto headers = door.headers_for({}, door.clerk->key());
  REQUIRE(door.clerk->transport().publish(
      {.subject = kSubject, .reply = "_INBOX.somebodyelse1234.x", .payload = kGood, .headers = &headers}));
  REQUIRE(
      door.clerk->transport().publish({.subject = kSubject, .payload = kGood, .headers = &headers})); // no reply at all
  // Both were recorded by the replay rule or dropped; the service still answers.
  CHECK(door.clerk->call("acme.echo@v1", "Echo.Say", kGood));
}

TEST_CASE("a request larger than max_payload fails at the caller, a large one below it is served") {
  Door door;
  const auto large = R"({"message":")" + std::string(900000, 'x') + R"("})";
  CHECK(door.clerk->call("acme.echo@v1", "Echo.Say", large, {.timeout = 20s}).value() == large);
  const auto too_large = R"({"message":")" + std::string(1100000, 'x') + R"("})";
  CHECK(door.clerk->call("acme.echo@v1", "Echo.Say", too_large).error().envelope.code() == "trellis.request.failed");
}
