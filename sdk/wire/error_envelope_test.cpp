#include "wire/error_envelope.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

std::string parse_error(std::string_view payload) {
  const auto envelope = parse_envelope(payload);
  return envelope ? "" : envelope.error().code;
}

} // namespace

TEST_CASE("an envelope is written in the order of 06") {
  ErrorEnvelope envelope;
  envelope.id = "01JZ";
  envelope.type = "QuotaExceededError";
  envelope.message = "Quota \"exceeded\"";
  envelope.context = R"({"method":"Billing.Charge"})";
  envelope.trace_id = "4bf9";
  envelope.fields = R"({"used":11,"limit":10})";
  CHECK(envelope.to_json() == R"({"id":"01JZ","type":"QuotaExceededError","message":"Quota \"exceeded\"",)"
                              R"("context":{"method":"Billing.Charge"},"traceId":"4bf9","used":11,"limit":10})");
}

TEST_CASE("an envelope without id gets one when it is written") {
  const auto envelope = parse_envelope(ErrorEnvelope{}.to_json());
  REQUIRE(envelope);
  CHECK(envelope->id.size() == 26);
  CHECK(envelope->context == "{}");
  CHECK(envelope->trace_id.empty());
}

TEST_CASE("fields never replace the envelope's own members") {
  ErrorEnvelope envelope;
  envelope.id = "1";
  envelope.fields = R"({"id":"2","type":"X","message":"m","context":{"a":1},"traceId":"t","code":"c"})";
  const auto read = parse_envelope(envelope.to_json());
  REQUIRE(read);
  CHECK(read->id == "1");
  CHECK(read->type.empty());
  CHECK(read->fields == R"({"code":"c"})");
}

TEST_CASE("an envelope around outside bytes reads back, unpaired surrogates included") {
  const std::string_view bytes = "\xAE\xED\xAE\xAE\xEC";
  const auto read = parse_envelope(auth_error(bytes).to_json());
  REQUIRE(read);
  CHECK(read->field("reason") == "\xEF\xBF\xBD\xED\xAE\xAE\xEF\xBF\xBD");
  CHECK(parse_envelope(read->to_json())->fields == read->fields);
  const auto context = parse_envelope(R"({"id":"1","type":"T","message":"m","context":{"\ud800":"\udbae"}})");
  REQUIRE(context);
  CHECK(context->context == R"({"\ud800":"\udbae"})");
  CHECK(parse_envelope(context->to_json())->context == context->context);
}

TEST_CASE("context and fields that are no objects don't break the envelope") {
  ErrorEnvelope envelope;
  envelope.context = "not json";
  envelope.fields = "[1]";
  const auto read = parse_envelope(envelope.to_json());
  REQUIRE(read);
  CHECK(read->context == "{}");
  CHECK(read->fields == "{}");
}

TEST_CASE("a message that is not UTF-8 still gives JSON") {
  ErrorEnvelope envelope;
  envelope.message = "bad \xC3\x28 byte";
  CHECK(parse_envelope(envelope.to_json())->message == "bad \xEF\xBF\xBD( byte");
}

TEST_CASE("the envelope of another speaker is read with all its members") {
  const auto envelope = parse_envelope(R"({"limit":10,"message":"m","type":"T","id":"x","traceId":"t","extra":[1]})");
  REQUIRE(envelope);
  CHECK(envelope->type == "T");
  CHECK(envelope->context == "{}");
  CHECK(envelope->trace_id == "t");
  CHECK(envelope->fields == R"({"limit":10,"extra":[1]})");
}

TEST_CASE("payloads that are no envelopes are refused") {
  CHECK(parse_error("") == "invalid_envelope");
  CHECK(parse_error("null") == "invalid_envelope");
  CHECK(parse_error("[]") == "invalid_envelope");
  CHECK(parse_error(R"({"type":"T","message":"m"})") == "invalid_envelope");
  CHECK(parse_error(R"({"id":1,"type":"T","message":"m"})") == "invalid_envelope");
  CHECK(parse_error(R"({"id":"x","type":"T"})") == "invalid_envelope");
  CHECK(parse_error(R"({"id":"x","type":"T","message":"m","context":[]})") == "invalid_envelope");
  CHECK(parse_error(R"({"id":"x","type":"T","message":"m","context":null})") == "invalid_envelope");
  CHECK(parse_error(R"({"id":"x","type":"T","message":"m","traceId":7})") == "invalid_envelope");
}

TEST_CASE("a field is read as text or not at all") {
  ErrorEnvelope envelope;
  envelope.fields = R"({"code":"c","reason":7})";
  CHECK(envelope.code() == "c");
  CHECK(envelope.reason().empty());
  CHECK(envelope.field("hint").empty());
  envelope.fields = "broken";
  CHECK(envelope.code().empty());
}

TEST_CASE("an unexpected error keeps its cause in the context") {
  CHECK(unexpected_error("disk full").context == R"({"causeMessage":"disk full"})");
  CHECK(unexpected_error("").context == "{}");
  CHECK(unexpected_error("x").message == "An unexpected error has occurred");
}

TEST_CASE("an auth error names its reason") {
  const auto error = auth_error("session_not_found");
  CHECK(error.type == "AuthError");
  CHECK(error.message == "Auth failed: session_not_found");
  CHECK(error.reason() == "session_not_found");
}

TEST_CASE("a validation error has one line for each issue") {
  const auto error = validation_error({{"#", "wrong"}, {"#/properties/\"a", "missing"}});
  CHECK(error.message == "Validation failed. #: wrong.\nValidation failed. #/properties/\"a: missing.");
  CHECK(error.fields ==
        R"({"issues":[{"path":"#","message":"wrong"},{"path":"#/properties/\"a","message":"missing"}]})");
  CHECK(validation_error({}).message == "Data validation failed.");
  CHECK(validation_error({}).fields == R"({"issues":[]})");
}

TEST_CASE("a transport error has code and hint") {
  const auto error = transport_error_envelope("trellis.request.timeout", "No answer", "Try again", R"({"a":1})");
  CHECK(error.type == "TransportError");
  CHECK(error.code() == "trellis.request.timeout");
  CHECK(error.field("hint") == "Try again");
  CHECK(error.context == R"({"a":1})");
}

TEST_CASE("built-in types and reasons are those of 06") {
  CHECK(is_builtin_error("AuthError"));
  CHECK(is_builtin_error("OperationAlreadyTerminalError"));
  CHECK_FALSE(is_builtin_error("QuotaExceededError"));
  CHECK(is_auth_reason("invalid_device_qr_mac"));
  CHECK_FALSE(is_auth_reason("rate_limited"));
  CHECK_FALSE(is_auth_reason(""));
}
