#include "runtime/rpc_fixture.h"

#include "contracts/json_write.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>

using namespace trellis;
using namespace trellis::test;

namespace {

const std::vector<std::string> kNone;

// A request of `caller` whose proof is right.
struct Question {
  std::string subject = "rpc.v1.Billing.Charge", request_id = "r1";
  std::int64_t iat = kNow;
  std::vector<std::string> capabilities;
  Sha256 hash = sha256(as_bytes("{}"));

  std::string proof_of(const SessionKey &caller) const {
    return make_request_proof(caller, subject, hash, iat, request_id);
  }
  auto ask(Validator &validator, const SessionKey &caller) const {
    const auto proof = proof_of(caller);
    return validator.validate({caller.text(), proof, subject, hash, iat, request_id, capabilities, false});
  }
};

std::string reason(const tl::expected<Validation, ErrorEnvelope> &result) {
  return result ? result->allowed ? "allowed" : "not allowed" : result.error().reason();
}

} // namespace

TEST_CASE("the first check that fails decides") {
  RpcFixture rpc;
  Question question;
  const auto stranger = SessionKey::generate();
  const auto proof = question.proof_of(stranger);
  question.iat = kNow - 31; // stale, wrong proof, unknown session
  const auto stale = rpc.validator.validate(
      {stranger.text(), proof, question.subject, question.hash, question.iat, question.request_id, kNone, false});
  CHECK(reason(stale) == "iat_out_of_range");
  question.iat = kNow - 30;
  const auto unproven = rpc.validator.validate(
      {stranger.text(), proof, question.subject, question.hash, question.iat, question.request_id, kNone, false});
  CHECK(reason(unproven) == "invalid_signature");
  CHECK(reason(question.ask(rpc.validator, stranger)) == "session_not_found");
}

TEST_CASE("an iat that no double holds is out of range") {
  RpcFixture rpc;
  Question question;
  question.iat = 9007199254740993;
  rpc.now = question.iat;
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "iat_out_of_range");
}

TEST_CASE("a proof that the receiver checked isn't checked again") {
  RpcFixture rpc;
  const Question question;
  CHECK(reason(rpc.validator.validate({rpc.caller.text(), "nonsense", question.subject, question.hash, question.iat,
                                       question.request_id, kNone, true})) == "allowed");
}

TEST_CASE("a request id is spent only once its session is known") {
  RpcFixture rpc;
  rpc.validator.replace_sessions({});
  const Question question;
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "session_not_found");
  rpc.validator.replace_sessions({{rpc.caller.text(), session_of(rpc.caller)}});
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "allowed");
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "invalid_signature");
}

TEST_CASE("a request that isn't allowed spends its id too") {
  RpcFixture rpc;
  Question question;
  question.capabilities = {"admin"};
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "not allowed");
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "invalid_signature");
}

TEST_CASE("users call only what was delegated to them, services what their permissions allow") {
  RpcFixture rpc;
  Question question;
  question.subject = "rpc.v1.Other.Call";
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "not allowed");
  auto service = *session_of(rpc.caller);
  service.any_subject = true;
  rpc.validator.replace_sessions({{rpc.caller.text(), std::make_shared<const CallerSession>(service)}});
  question.request_id = "r2";
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "allowed");
}

TEST_CASE("every required capability must be held") {
  RpcFixture rpc;
  rpc.validator.replace_sessions({{rpc.caller.text(), session_of(rpc.caller, {"a", "b"})}});
  Question question;
  question.capabilities = {"b", "a"};
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "allowed");
  question.capabilities = {"a", "c"};
  question.request_id = "r2";
  CHECK(reason(question.ask(rpc.validator, rpc.caller)) == "not allowed");
}

TEST_CASE("sessions can be replaced while requests are decided") {
  RpcFixture rpc;
  std::atomic<bool> stop{false};
  std::thread replacing([&] {
    while (!stop)
      rpc.validator.replace_sessions({{rpc.caller.text(), session_of(rpc.caller, {"a"})}});
  });
  std::atomic<int> allowed{0};
  std::vector<std::thread> asking;
  for (int thread = 0; thread < 4; ++thread)
    asking.emplace_back([&, thread] {
      for (int i = 0; i < 50; ++i) {
        Question question;
        question.request_id = std::to_string(thread) + "/" + std::to_string(i);
        if (reason(question.ask(rpc.validator, rpc.caller)) == "allowed") ++allowed;
      }
    });
  for (auto &thread : asking)
    thread.join();
  stop = true;
  replacing.join();
  CHECK(allowed == 200);
}

TEST_CASE("of equal requests on several threads exactly one is allowed") {
  RpcFixture rpc;
  std::atomic<int> allowed{0};
  std::vector<std::thread> asking;
  for (int thread = 0; thread < 4; ++thread)
    asking.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        Question question;
        question.request_id = std::to_string(i);
        if (reason(question.ask(rpc.validator, rpc.caller)) == "allowed") ++allowed;
      }
    });
  for (auto &thread : asking)
    thread.join();
  CHECK(allowed == 50);
}

namespace {

// A service's RequestValidator in front of a control plane whose answers a test writes.
struct Remote {
  SessionKey service = SessionKey::generate(), caller = SessionKey::generate();
  ScriptedTransport transport;
  std::vector<Headers> asked;
  std::vector<JsonDocument> questions;
  std::function<Result<MessagePtr>(std::size_t)> answer; // number of the call, from 1
  RequestValidator validator{transport, service, [] { return kNow; }};

  Remote() {
    transport.on_request = [this](const Outbound &request, std::chrono::milliseconds,
                                  const Transport::OnReply &on_reply) {
      CHECK(request.subject == "rpc.v1.Auth.Requests.Validate");
      asked.push_back(*request.headers);
      questions.push_back(parse_json(request.payload).value());
      on_reply(answer(asked.size()));
    };
  }

  tl::expected<Validation, ErrorEnvelope> ask() {
    Question question;
    question.capabilities = {"admin"};
    return question.ask(validator, caller);
  }
};

Result<MessagePtr> refused_with(const ErrorEnvelope &error) {
  return reply_message(error.to_json(), true);
}

constexpr std::string_view kAllowed =
    R"({"allowed":true,"inboxPrefix":"_INBOX.p","caller":{"type":"user","capabilities":["a"],"new":1},"more":{}})";

} // namespace

TEST_CASE("the control plane is asked with the caller's proof, signed by the service") {
  Remote remote;
  remote.answer = [](std::size_t) { return reply_message(kAllowed); };
  const auto result = remote.ask();
  REQUIRE(result);
  CHECK(result->allowed);
  CHECK(result->caller->inbox_prefix == "_INBOX.p");
  CHECK(result->caller->capabilities == std::vector<std::string>{"a"});
  CHECK(result->caller->caller == R"({"type":"user","capabilities":["a"],"new":1})");
  REQUIRE(remote.questions.size() == 1);
  const Question question;
  const auto expected = JsonObjectText()
                            .text("sessionKey", remote.caller.text())
                            .text("proof", question.proof_of(remote.caller))
                            .text("subject", question.subject)
                            .text("payloadHash", base64url(question.hash))
                            .number("iat", kNow)
                            .text("requestId", "r1")
                            .texts("capabilities", {"admin"})
                            .str();
  CHECK(to_json(remote.questions[0]) == expected);
  CHECK(remote.asked[0][0].value == remote.service.text());
}

TEST_CASE("a disallowed request is an answer, not an error") {
  Remote remote;
  remote.answer = [](std::size_t) { return reply_message(R"({"allowed":false,"inboxPrefix":"p","caller":{}})"); };
  const auto result = remote.ask();
  REQUIRE(result);
  CHECK_FALSE(result->allowed);
}

TEST_CASE("a session that isn't there yet is asked for three times, with fresh request ids") {
  Remote remote;
  remote.answer = [](std::size_t call) {
    return call < 3 ? refused_with(auth_error("session_not_found")) : reply_message(kAllowed);
  };
  CHECK(remote.ask());
  REQUIRE(remote.asked.size() == 3);
  CHECK(remote.asked[0][3].value != remote.asked[1][3].value);
}

TEST_CASE("after three calls the caller hears that its session is unknown") {
  Remote remote;
  const auto error = auth_error("session_not_found", R"({"method":"Auth.Requests.Validate"})");
  remote.answer = [&](std::size_t) { return refused_with(error); };
  const auto result = remote.ask();
  REQUIRE_FALSE(result);
  CHECK(remote.asked.size() == 3);
  CHECK(result.error().reason() == "session_not_found");
  CHECK(result.error().context == error.context);
}

TEST_CASE("an existing control plane that calls the repetition a replay is believed") {
  Remote remote;
  remote.answer = [](std::size_t call) {
    return refused_with(auth_error(call == 1 ? "session_not_found" : "invalid_signature"));
  };
  CHECK(reason(remote.ask()) == "invalid_signature");
  CHECK(remote.asked.size() == 2);
}

TEST_CASE("an error of the control plane keeps its id, and no other reason is retried") {
  Remote remote;
  auto error = auth_error("user_inactive");
  error.id = "01JZ0000000000000000000001";
  remote.answer = [&](std::size_t) { return refused_with(error); };
  const auto result = remote.ask();
  REQUIRE_FALSE(result);
  CHECK(result.error().id == error.id);
  CHECK(result.error().reason() == "user_inactive");
  CHECK(remote.asked.size() == 1);
}

TEST_CASE("an error that Validate doesn't declare becomes an UnexpectedError") {
  Remote remote;
  remote.answer = [](std::size_t) { return refused_with(transport_error_envelope("c", "m", "h")); };
  const auto result = remote.ask();
  REQUIRE_FALSE(result);
  CHECK(result.error().type == "UnexpectedError");
}

TEST_CASE("a control plane that can't be reached is a TransportError") {
  Remote remote;
  remote.answer = [](std::size_t) { return Result<MessagePtr>(fail(transport_error::kTimeout, "s", "no answer")); };
  const auto result = remote.ask();
  REQUIRE_FALSE(result);
  CHECK(result.error().type == "TransportError");
  CHECK(result.error().code() == "trellis.request.failed");
}

TEST_CASE("an answer without what a service needs admits nobody") {
  for (const std::string_view answer :
       {"{}", "[]", "oops", R"({"allowed":"yes","inboxPrefix":"p","caller":{}})",
        R"({"allowed":true,"inboxPrefix":"p","caller":{"capabilities":[1]}})", R"({"allowed":true,"caller":{}})"}) {
    Remote remote;
    remote.answer = [&](std::size_t) { return reply_message(answer); };
    CHECK_FALSE(remote.ask());
  }
}
