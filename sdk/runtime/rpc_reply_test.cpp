// Steps 9 to 11 of 06 §4.2: what each outcome of a handler becomes.
#include "runtime/rpc_fixture.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::test;

namespace {

constexpr std::string_view kAnnotations =
    R"("method":"Billing.Charge","requestId":"r1","service":"billing","contractId":"acme.billing@v1","contractDigest":"digest")";

struct Outcome {
  ErrorEnvelope error;
  bool well_formed = true;
};

Outcome outcome_of(const HandlerError &error) {
  const RpcFixture rpc;
  AdmittedRequest request;
  request.request_id = "r1";
  request.trace_id = kTraceId;
  const auto reply = error_reply(rpc.service, rpc.method, request, error);
  REQUIRE(reply.reply.is_error);
  return {parse_envelope(reply.reply.payload).value(), reply.well_formed};
}

std::string annotated_with(std::string_view first) {
  return "{" + std::string(first) + std::string(kAnnotations) + "}";
}

} // namespace

TEST_CASE("a success is the handler's text, byte for byte and without headers") {
  const RpcFixture rpc;
  const auto reply = success_reply(rpc.method, R"( {"id":"x", "more":1.0} )", kTraceId);
  CHECK_FALSE(reply.is_error);
  CHECK(reply.payload == R"( {"id":"x", "more":1.0} )");
  const auto message = rpc.message();
  CHECK(send_reply(rpc.method, message, reply, kTraceId) == Sent::whole);
  CHECK(message.replies->all().at(0).headers.empty());
}

TEST_CASE("an output that breaks its schema is a ValidationError without annotations") {
  const RpcFixture rpc;
  const auto reply = success_reply(rpc.method, R"({"id":5})", kTraceId);
  const auto error = parse_envelope(reply.payload).value();
  CHECK(reply.is_error);
  CHECK(error.type == "ValidationError");
  CHECK(error.context == "{}");
  CHECK(error.trace_id == kTraceId);
  CHECK(error.fields.find("#/properties/id") != std::string::npos);
}

TEST_CASE("an output that is no JSON is a ValidationError of the whole") {
  const RpcFixture rpc;
  for (const std::string_view output : {"", "oops", "\"\xFF\""})
    CHECK(parse_envelope(success_reply(rpc.method, output, {}).payload)->type == "ValidationError");
}

TEST_CASE("a declared error is sent with its fields and annotations") {
  const auto outcome = outcome_of({"QuotaExceededError", "too much", R"({"a":1})", R"({"limit":10,"used":11})"});
  CHECK(outcome.well_formed);
  CHECK(outcome.error.type == "QuotaExceededError");
  CHECK(outcome.error.message == "too much");
  CHECK(outcome.error.fields == R"({"limit":10,"used":11})");
  CHECK(outcome.error.context == annotated_with(R"("a":1,)"));
  CHECK(outcome.error.trace_id == kTraceId);
  CHECK_FALSE(outcome.error.id.empty());
}

TEST_CASE("annotations win over the handler's members, and the subject stays in the service") {
  const auto outcome = outcome_of({"QuotaExceededError", "m", R"({"subject":"s","method":"mine","service":7})", "{}"});
  CHECK(outcome.error.context == annotated_with(""));
}

TEST_CASE("an undeclared error keeps its type") {
  const auto outcome = outcome_of({"OtherError", "m", {}, R"({"x":1})"});
  CHECK(outcome.error.type == "OtherError");
  CHECK(outcome.error.fields == R"({"x":1})");
}

TEST_CASE("an error's fields can't take the envelope's own members") {
  const auto fields = R"({"id":"mine","type":"T","message":"m","context":1,"traceId":2,"cause":3,"x":1})";
  const auto outcome = outcome_of({"OtherError", "m", {}, fields});
  CHECK(outcome.error.fields == R"({"x":1})");
  CHECK(outcome.error.type == "OtherError");
  CHECK(outcome.error.id != "mine");
}

TEST_CASE("what a caller can't act on is an UnexpectedError with the cause") {
  for (const std::string_view type : {"", "UnexpectedError"}) {
    const auto outcome = outcome_of({type, "boom", R"({"a":1})", {}});
    CHECK(outcome.well_formed);
    CHECK(outcome.error.type == "UnexpectedError");
    CHECK(outcome.error.message == "An unexpected error has occurred");
    CHECK(outcome.error.context == annotated_with(R"("a":1,"causeMessage":"boom",)"));
  }
  CHECK(outcome_of({}).error.context == annotated_with(""));
}

TEST_CASE("a remote error is never passed on as it is") {
  const auto fields = R"({"remoteError":{"id":"r","type":"OtherError","message":"no"}})";
  const auto outcome = outcome_of({"RemoteError", {}, {}, fields});
  CHECK(outcome.error.type == "UnexpectedError");
  CHECK(outcome.error.context == annotated_with(R"("causeMessage":"OtherError: no",)"));
  CHECK(outcome.error.fields == "{}");
  CHECK(outcome_of({"RemoteError", {}, {}, {}}).error.type == "UnexpectedError");
  CHECK(outcome_of({"RemoteError", {}, {}, R"({"remoteError":7})"}).error.type == "UnexpectedError");
}

TEST_CASE("an error whose context or fields are no objects is an UnexpectedError and reported") {
  for (const std::string_view text : {"[]", "oops", "7", "{\"a\":\"\xFF\"}"}) {
    const auto context = outcome_of({"QuotaExceededError", "m", text, {}});
    CHECK(context.error.type == "UnexpectedError");
    CHECK_FALSE(context.well_formed);
    const auto fields = outcome_of({"QuotaExceededError", "m", {}, text});
    CHECK(fields.error.type == "UnexpectedError");
    CHECK_FALSE(fields.well_formed);
  }
}

TEST_CASE("an AuthError keeps to the reasons that callers know") {
  const auto known = outcome_of({"AuthError", {}, {}, R"({"reason":"forbidden"})"});
  CHECK(known.error.reason() == "forbidden");
  CHECK(known.error.message == "Auth failed: forbidden");
  const auto invented = outcome_of({"AuthError", {}, {}, R"({"reason":"because"})"});
  CHECK(invented.error.type == "UnexpectedError");
  CHECK_FALSE(invented.well_formed);
}

TEST_CASE("built-in errors get the members without which their callers can't read them") {
  CHECK(outcome_of({"ValidationError", "m", {}, {}}).error.fields == R"({"issues":[]})");
  CHECK(outcome_of({"TransportError", "m", {}, R"({"code":"c"})"}).error.field("hint").size() > 0);
}

TEST_CASE("an error is UTF-8 JSON whatever the handler put into it") {
  const RpcFixture rpc;
  const HandlerError error{"Other\xFF", "m\xFF", R"({"a":"\ud800"})", R"({"b":"\udfff","n":1e999})"};
  const auto reply = error_reply(rpc.service, rpc.method, {}, error).reply;
  const auto read = parse_json(reply.payload);
  REQUIRE(read);
  CHECK(find_member(*read, "n")->IsNull());
}

TEST_CASE("the runtime's own errors are TransportErrors with a hint") {
  const RpcFixture rpc;
  for (const std::string_view code : {kOverloadedCode, kDeadlineCode, kStoppingCode, kSendFailedCode, "other"}) {
    const auto reply = runtime_error_reply(rpc.method, code, "text", kTraceId);
    const auto error = parse_envelope(reply.payload).value();
    CHECK(error.type == "TransportError");
    CHECK(error.code() == code);
    CHECK_FALSE(error.field("hint").empty());
    CHECK(error.trace_id == kTraceId);
    CHECK(error.context == R"({"method":"Billing.Charge","subject":"rpc.v1.Billing.Charge"})");
  }
}

TEST_CASE("a reply that is too large becomes a small error that says how large it was") {
  const RpcFixture rpc;
  auto message = rpc.message();
  message.max_payload = 1000;
  const auto output = R"({"id":")" + std::string(1000, 'a') + "\"}";
  CHECK(send_reply(rpc.method, message, success_reply(rpc.method, output, kTraceId), kTraceId) == Sent::as_error);
  const auto reply = message.replies->all().at(0);
  CHECK(reply.is_error());
  const auto error = parse_envelope(reply.payload).value();
  CHECK(error.code() == kSendFailedCode);
  CHECK(error.trace_id == kTraceId);
  const auto context = parse_json(error.context).value();
  CHECK(find_member(context, "responseBytes")->GetInt() == 1009);
  CHECK(string_member(context, "method") == "Billing.Charge");
  CHECK(string_member(context, "subject") == rpc.method.subject);
  CHECK_FALSE(string_member(context, "causeMessage").empty());
}

TEST_CASE("sending says when nothing could be sent") {
  const RpcFixture rpc;
  auto message = rpc.message();
  message.closed = true;
  CHECK(send_reply(rpc.method, message, {"{}", false}, {}) == Sent::nothing);
  message.reply_text.clear(); // nobody waits: nothing to send
  CHECK(send_reply(rpc.method, message, {"{}", false}, {}) == Sent::whole);
  CHECK(message.replies->count() == 0);
}
