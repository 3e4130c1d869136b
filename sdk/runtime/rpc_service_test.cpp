// Steps 1 to 8 of 06 §4.2: each kind of malformed message, and what its sender is told.
#include "runtime/rpc_fixture.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::test;

namespace {

std::string context_member(const ErrorEnvelope &error, std::string_view name) {
  return std::string(string_member(parse_json(error.context).value(), name));
}

// The outcome of a request whose iat header has this text; signed for `iat`.
std::string outcome_of_iat(std::string_view header, std::int64_t iat) {
  RpcFixture rpc;
  auto message = signed_message(rpc.caller, rpc.method.subject, R"({"cents":1})", iat, "r1");
  set_header(message, "iat", header);
  if (std::holds_alternative<AdmittedRequest>(rpc.admit(message))) return "admitted";
  const auto error = rpc.refusal(message);
  return error.reason() + (context_member(error, "sessionKey").empty() ? "" : " for the key");
}

// The outcome of a request that was signed `age` seconds ago.
std::string outcome_of_age(std::int64_t age) {
  RpcFixture rpc;
  const auto message = signed_message(rpc.caller, rpc.method.subject, R"({"cents":1})", kNow - age, "r1");
  return std::holds_alternative<AdmittedRequest>(rpc.admit(message)) ? "admitted" : rpc.refusal(message).reason();
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

} // namespace

TEST_CASE("a proper request is admitted with all that its handler needs") {
  RpcFixture rpc;
  auto message = rpc.message(R"({ "cents": 1, "more": true })");
  set_header(message, "traceparent", kTraceparent);
  set_header(message, "tracestate", "vendor=1");
  const auto request = rpc.admitted(message);
  CHECK(request.input == R"({ "cents": 1, "more": true })");
  CHECK(request.caller->caller.find("u1") != std::string::npos);
  CHECK(request.session_key == rpc.caller.text());
  CHECK(request.request_id == "r1");
  CHECK(request.traceparent == kTraceparent);
  CHECK(request.tracestate == "vendor=1");
  CHECK(request.trace_id == kTraceId);
}

TEST_CASE("a payload that is no JSON is an UnexpectedError with its cause") {
  RpcFixture rpc;
  for (const std::string_view payload :
       {"", "not json", "{\"cents\":1", "{\"cents\":1}x", "\"\xFF\"", "\xEF\xBB\xBF{}"}) {
    INFO(payload);
    const auto error = rpc.refusal(rpc.message(payload));
    CHECK(error.type == "UnexpectedError");
    CHECK_FALSE(context_member(error, "causeMessage").empty());
  }
}

TEST_CASE("hostile nesting is refused like any other payload that is no JSON") {
  RpcFixture rpc;
  CHECK(rpc.refusal(rpc.message(nested(100000))).type == "UnexpectedError");
  CHECK(rpc.refusal(rpc.message(nested(500))).type == "ValidationError");
}

TEST_CASE("a payload beyond 4 MiB is read when the server let it through") {
  RpcFixture rpc;
  const auto payload = R"({"cents":1,"more":")" + std::string(std::size_t{5} << 20, 'a') + "\"}";
  CHECK(rpc.admitted(rpc.message(payload)).input == payload);
}

TEST_CASE("a schema violation is reported before anything about the caller") {
  RpcFixture rpc;
  auto message = rpc.message(R"({"cents":"x"})");
  message.header_list = {{"traceparent", kTraceparent}};
  const auto error = rpc.refusal(message);
  CHECK(error.type == "ValidationError");
  CHECK(error.fields.find("#/properties/cents") != std::string::npos);
  CHECK(error.trace_id == kTraceId);
}

TEST_CASE("a handler reads the members that were checked when the payload holds some twice") {
  RpcFixture rpc;
  CHECK(rpc.admitted(rpc.message(R"({"cents":"x","cents":2})")).input == R"({"cents":2})");
  CHECK(rpc.refusal(rpc.message(R"({"cents":2,"cents":"x"})", "r2")).type == "ValidationError");
}

TEST_CASE("the headers of the proof are missed one after the other") {
  RpcFixture rpc;
  auto message = rpc.message();
  message.header_list.clear();
  CHECK(rpc.refusal(message).reason() == "missing_session_key");
  set_header(message, "session-key", "");
  CHECK(rpc.refusal(message).reason() == "missing_session_key");
  set_header(message, "session-key", rpc.caller.text());
  CHECK(rpc.refusal(message).reason() == "missing_proof");
  set_header(message, "proof", "AAAA");
  const auto error = rpc.refusal(message);
  CHECK(error.reason() == "invalid_signature");
  CHECK(error.context == "{}"); // no request-id
}

TEST_CASE("header names are compared case-sensitively") {
  RpcFixture rpc;
  auto message = rpc.message();
  for (auto &header : message.header_list)
    if (header.name == "session-key") header.name = "Session-Key";
  CHECK(rpc.refusal(message).reason() == "missing_session_key");
}

TEST_CASE("iat is a decimal number that is a safe integer") {
  CHECK(outcome_of_iat("1767225600", kNow) == "admitted");
  CHECK(outcome_of_iat("1767225600.0", kNow) == "admitted");
  CHECK(outcome_of_iat(" +17672256e2 ", kNow) == "admitted");
  CHECK(outcome_of_iat("", kNow) == "invalid_signature for the key"); // reads as 0
  CHECK(outcome_of_iat("", 0) == "iat_out_of_range");
  CHECK(outcome_of_iat("1e3", kNow) == "invalid_signature for the key");
  CHECK(outcome_of_iat("1e3", 1000) == "iat_out_of_range");
  CHECK(outcome_of_iat("abc", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("1767225600x", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("1767225600.5", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("9007199254740993", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("-9007199254740993", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("1e999", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("Infinity", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("nan", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("+-1", kNow) == "invalid_signature");
  CHECK(outcome_of_iat("+", kNow) == "invalid_signature");
}

TEST_CASE("a proof or key that is garbage is an invalid signature of that key") {
  RpcFixture rpc;
  for (const std::string_view garbage : {"A", "!!!!", "AAAA", "\xFF\xFE", "\x01"}) {
    INFO(garbage);
    auto message = rpc.message();
    set_header(message, "proof", garbage);
    CHECK(rpc.refusal(message).reason() == "invalid_signature");
    CHECK(context_member(rpc.refusal(message), "sessionKey") == rpc.caller.text());
    set_header(message, "session-key", garbage);
    CHECK(rpc.refusal(message).reason() == "invalid_signature");
  }
}

TEST_CASE("a request id that is not UTF-8 is an invalid signature") {
  RpcFixture rpc;
  CHECK(rpc.refusal(rpc.message(R"({"cents":1})", "r\xFF")).reason() == "invalid_signature");
}

TEST_CASE("a proof for another subject or payload is an invalid signature") {
  RpcFixture rpc;
  auto message = rpc.message();
  message.payload_text = R"({"cents":2})";
  CHECK(rpc.refusal(message).reason() == "invalid_signature");
  message = signed_message(rpc.caller, "rpc.v1.Billing.Refund", R"({"cents":1})", kNow, "r1");
  message.subject_text = rpc.method.subject;
  CHECK(rpc.refusal(message).reason() == "invalid_signature");
}

TEST_CASE("a proof by another key is an invalid signature") {
  RpcFixture rpc;
  auto message = signed_message(SessionKey::generate(), rpc.method.subject, R"({"cents":1})", kNow, "r1");
  set_header(message, "session-key", rpc.caller.text());
  CHECK(rpc.refusal(message).reason() == "invalid_signature");
}

TEST_CASE("a request is fresh for thirty seconds in both directions") {
  CHECK(outcome_of_age(29) == "admitted");
  CHECK(outcome_of_age(30) == "admitted");
  CHECK(outcome_of_age(31) == "iat_out_of_range");
  CHECK(outcome_of_age(-29) == "admitted");
  CHECK(outcome_of_age(-30) == "admitted");
  CHECK(outcome_of_age(-31) == "iat_out_of_range");
}

TEST_CASE("a replayed request is an invalid signature") {
  RpcFixture rpc;
  CHECK(std::holds_alternative<AdmittedRequest>(rpc.admit(rpc.message())));
  CHECK(rpc.refusal(rpc.message()).reason() == "invalid_signature");
}

TEST_CASE("a caller without a session is told so, also the second time") {
  RpcFixture rpc;
  const auto stranger = SessionKey::generate();
  const auto message = signed_message(stranger, rpc.method.subject, R"({"cents":1})", kNow, "r1");
  CHECK(rpc.refusal(message).reason() == "session_not_found");
  CHECK(rpc.refusal(message).reason() == "session_not_found");
}

TEST_CASE("a caller without a capability learns which were asked and which it has") {
  RpcFixture rpc;
  rpc.method.capabilities = {"acme::a", "acme::b"};
  rpc.validator.replace_sessions({{rpc.caller.text(), session_of(rpc.caller, {"acme::a"})}});
  const auto error = rpc.refusal(rpc.message());
  CHECK(error.reason() == "insufficient_permissions");
  CHECK(error.context == R"({"requiredCapabilities":["acme::a","acme::b"],"userCapabilities":["acme::a"]})");
}

TEST_CASE("the reply subject must lie in the caller's own inbox") {
  RpcFixture rpc;
  int request = 0;
  const auto refused = [&](const std::string &reply) {
    auto message = rpc.message(R"({"cents":1})", "r" + std::to_string(++request));
    message.reply_text = reply;
    const auto error = rpc.refusal(message);
    CHECK(context_member(error, "expected") == rpc.caller.inbox_prefix());
    CHECK(context_member(error, "actual") == reply);
    return error.reason() == "reply_subject_mismatch";
  };
  CHECK(refused("_INBOX.somebodyelse000.x"));
  CHECK(refused(rpc.caller.inbox_prefix()));
  CHECK(refused(rpc.caller.inbox_prefix() + "x.y"));
  CHECK(refused(""));
  CHECK(refused("x." + rpc.caller.inbox_prefix() + ".y"));
}

TEST_CASE("an invalid trace context is as good as none") {
  RpcFixture rpc;
  auto message = rpc.message();
  set_header(message, "traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01");
  set_header(message, "tracestate", "vendor=1");
  const auto request = rpc.admitted(message);
  CHECK(request.trace_id.empty());
  CHECK(request.traceparent.empty());
  CHECK(request.tracestate.empty());
}

TEST_CASE("every refusal carries the caller's trace id") {
  RpcFixture rpc;
  auto message = rpc.message();
  set_header(message, "traceparent", kTraceparent);
  set_header(message, "proof", "AAAA");
  CHECK(rpc.refusal(message).trace_id == kTraceId);
}

TEST_CASE("an unauthenticated rpc needs neither proof nor inbox") {
  RpcFixture rpc;
  rpc.method.unauthenticated = true;
  FakeMessage message;
  message.subject_text = rpc.method.subject;
  message.payload_text = R"({"cents":1})";
  message.reply_text = "anywhere";
  const auto request = rpc.admitted(message);
  CHECK(string_member(parse_json(request.caller->caller).value(), "id") == "system");
  CHECK(request.session_key.empty());
  message.payload_text = "{}";
  CHECK(rpc.refusal(message).type == "ValidationError");
}
