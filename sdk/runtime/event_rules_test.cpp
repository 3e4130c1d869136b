// The pure half of events: what is prepared, what is delivered, what is answered.
#include "contracts/manifest.h"
#include "runtime/event_acks.h"
#include "runtime/event_consumers.h"
#include "runtime/event_delivery.h"
#include "runtime/event_prepare.h"
#include "runtime/fake_transport.h"
#include "runtime/rpc_fixture.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace std::chrono_literals;

namespace {

EventType paid() {
  return {"acme.billing@v1", "Billing.Paid", "events.v1.Billing.Paid.{/region}",
          test::schema_of(R"({"type":"object","required":["region","header"],"additionalProperties":false,
                              "properties":{"region":{"type":"string"},"cents":{"type":"integer"},
                                            "header":{"type":"object","required":["id","time"]}}})")};
}

const EventHeader kHeader{"01JZ0000000000000000000001", "2026-01-01T00:00:00.000Z"};
const std::string kHeaderText = R"("header":{"id":"01JZ0000000000000000000001","time":"2026-01-01T00:00:00.000Z"})";

std::string issue_of(const tl::expected<PreparedEvent, EventFailure> &result) {
  return result ? "none" : result.error().envelope.type + " " + result.error().envelope.context;
}

Manifest ledger() {
  auto manifest = Manifest::parse(
      R"({"format":"trellis.contract.v1","id":"acme.ledger@v1","displayName":"L","description":"d","kind":"service",
          "schemas":{"E":{"type":"object"}},
          "uses":{"required":{"billing":{"contract":"acme.billing@v1","events":{"subscribe":["Billing.Paid"]}},
                              "health":{"contract":"trellis.health@v1","events":{"publish":["Health.Heartbeat"]}}}},
          "events":{"Ledger.Closed":{"version":"v1","subject":"events.v1.Ledger.Closed","event":{"schema":"E"}}},
          "eventConsumers":{"books":{"uses":{"billing":["Billing.Paid"]},"self":["Ledger.Closed"]}}})");
  INFO((manifest ? "" : manifest.error().text()));
  REQUIRE(manifest);
  return *manifest;
}

} // namespace

TEST_CASE("a prepared event keeps the caller's member order, and its header stands where the caller's stood") {
  const auto first = prepare_event(paid(), R"({"header":{"id":"mine"},"region":"eu","cents":1})", kHeader);
  REQUIRE(first);
  CHECK(first->payload == "{" + kHeaderText + R"(,"region":"eu","cents":1})");
  const auto last = prepare_event(paid(), R"({"region":"e.u"})", kHeader);
  REQUIRE(last);
  CHECK(last->payload == R"({"region":"e.u",)" + kHeaderText + "}");
  CHECK(last->subject == "events.v1.Billing.Paid.e~2E~u");
  CHECK(last->id() == kHeader.id);
}

TEST_CASE("a valid trace context becomes headers, an invalid one doesn't") {
  const auto traced = prepare_event(paid(), R"({"region":"eu"})", kHeader, {test::kTraceparent, "vendor=1"});
  REQUIRE(traced);
  REQUIRE(traced->headers.size() == 3);
  CHECK(traced->headers[1].name == "traceparent");
  CHECK(traced->headers[2].value == "vendor=1");
  const auto untraced = prepare_event(paid(), R"({"region":"eu"})", kHeader, {"00-no-trace-00", "vendor=1"});
  REQUIRE(untraced);
  CHECK(untraced->headers.size() == 1);
  const auto torn = prepare_event(paid(), R"({"region":"eu"})", kHeader, {test::kTraceparent, "a=1\r\nX: y"});
  REQUIRE(torn);
  CHECK(torn->headers.size() == 2);
}

TEST_CASE("what can't be prepared says why: a missing subject value by its pointer, all else with the event's name") {
  CHECK(issue_of(prepare_event(paid(), R"({"cents":1})", kHeader)) == R"(ValidationError {"key":"/region"})");
  CHECK(issue_of(prepare_event(paid(), R"({"region":null})", kHeader)).starts_with("ValidationError"));
  CHECK(issue_of(prepare_event(paid(), R"({"region":"eu","cents":"1"})", kHeader))
            .starts_with(R"(UnexpectedError {"event":"Billing.Paid")"));
  CHECK(issue_of(prepare_event(paid(), "[]", kHeader)).starts_with("UnexpectedError"));
  CHECK(issue_of(prepare_event(paid(), "{", kHeader)).starts_with("UnexpectedError"));
}

TEST_CASE("a prepared event survives being stored, and texts that are none are refused by member") {
  const auto event = prepare_event(paid(), R"({"region":"eu","cents":5})", kHeader, {test::kTraceparent, ""});
  REQUIRE(event);
  const auto again = parse_prepared_event(event->to_json());
  REQUIRE(again);
  CHECK(again->event == "Billing.Paid");
  CHECK(again->subject == event->subject);
  CHECK(again->payload == event->payload);
  CHECK(again->headers.size() == 2);
  CHECK(parse_prepared_event(R"({"event":"E","subject":"s","encodedPayload":"no","headers":{}})").error().where ==
        "/encodedPayload");
  CHECK(parse_prepared_event(R"({"event":"E","subject":"s","encodedPayload":"1","headers":{"a":1}})").error().where ==
        "/headers");
  CHECK(parse_prepared_event(R"({"event":"E","encodedPayload":"1","headers":{}})").error().where == "/subject");
}

TEST_CASE("a prepared event of any size can be published") {
  auto type = paid();
  type.payload = test::schema_of(R"({"type":"object"})");
  const auto event = prepare_event(type, R"({"region":"eu","note":")" + std::string(3 << 20, 'a') + R"("})", kHeader);
  REQUIRE(event);
  const auto again = parse_prepared_event(event->to_json()); // holds the payload twice
  REQUIRE(again);
  CHECK(again->payload == event->payload);
}

TEST_CASE("the id of an event without Nats-Msg-Id is its header's") {
  const auto event = parse_prepared_event(
      R"({"event":"E","subject":"s","encodedPayload":"{\"header\":{\"id\":\"h1\"}}","headers":{}})");
  REQUIRE(event);
  CHECK(event->id() == "h1");
}

TEST_CASE("a delivered event has its header's id and time, or neither") {
  const auto type =
      std::make_shared<const EventType>(EventType{"c@v1", "E", "events.v1.E", test::schema_of(R"({"type":"object"})")});
  test::FakeMessage message;
  message.subject_text = "events.v1.E";
  message.payload_text = R"({"header":{"id":"h1","time":"2026-01-01T00:00:01.000Z"}})";
  message.header_list = {{"traceparent", test::kTraceparent}};
  const auto event = read_event(type, message);
  REQUIRE(event);
  CHECK(event->id == "h1");
  CHECK(event->time_unix_ms == 1767225601000);
  CHECK(event->traceparent == test::kTraceparent);
  message.header_list = {{"traceparent", "00-\xff-00"}, {"tracestate", "a=1"}};
  const auto untraced = read_event(type, message);
  REQUIRE(untraced);
  CHECK(untraced->traceparent.empty());
  CHECK(untraced->tracestate.empty());
  message.header_list = {{"traceparent", test::kTraceparent}, {"tracestate", "a=\xff"}};
  CHECK(read_event(type, message)->tracestate.empty()); // handlers get texts
  message.payload_text = R"({"header":{"id":7,"time":"yesterday"}})";
  const auto odd = read_event(type, message);
  REQUIRE(odd);
  CHECK(odd->id.empty());
  CHECK(odd->time_unix_ms == 0);
  message.payload_text = "[]";
  CHECK(read_event(type, message).error().code == "event_schema");
}

TEST_CASE("both forms of an ack subject are read") {
  const auto plain = parse_ack_subject("$JS.ACK.trellis.tr_cons_1.2.17.5.1767225600000000000.3");
  REQUIRE(plain);
  CHECK(plain->delivery == 2);
  CHECK(plain->stream_sequence == 17);
  const auto with_domain = parse_ack_subject("$JS.ACK.hub.ACCHASH.trellis.tr_cons_1.1.18.6.1767225600000000000.0.tok");
  REQUIRE(with_domain);
  CHECK(with_domain->delivery == 1);
  CHECK(with_domain->stream_sequence == 18);
  CHECK(!parse_ack_subject("_INBOX.x.1"));
  CHECK(!parse_ack_subject("$JS.ACK.trellis.c.one.17.5.1.3"));
}

TEST_CASE("a NAK carries the backoff of its delivery, and the last one none") {
  const auto config = parse_json(R"({"ack_wait":30000000000,"max_deliver":3,"backoff":[200000000,400000000]})");
  const auto times = read_consumer_times(*config);
  CHECK(times.nak(1) == R"(-NAK {"delay":200000000})");
  CHECK(times.nak(2) == R"(-NAK {"delay":400000000})");
  CHECK(times.nak(3) == "-NAK");
  CHECK(times.wait_for(1) == 200ms);
  CHECK(times.wait_for(2) == 200ms);
  CHECK(times.wait_for(3) == 400ms);
  const auto bare = read_consumer_times(*parse_json(R"({"ack_wait":5000000000})"));
  CHECK(bare.nak(9) == "-NAK");
  CHECK(bare.wait_for(1) == 5s);
  CHECK(!bare.is_last(100));
}

TEST_CASE("a group's events are those of its uses and its own, and the contract says who may publish and listen") {
  const auto manifest = ledger();
  CHECK(group_events(manifest, "books") ==
        std::vector<EventKey>{{"acme.billing@v1", "Billing.Paid"}, {"acme.ledger@v1", "Ledger.Closed"}});
  CHECK(group_events(manifest, "none").empty());
  CHECK(may_use_event(manifest, "acme.ledger@v1", "Ledger.Closed", EventUse::publish));
  CHECK(may_use_event(manifest, "acme.billing@v1", "Billing.Paid", EventUse::subscribe));
  CHECK(!may_use_event(manifest, "acme.billing@v1", "Billing.Paid", EventUse::publish));
  CHECK(may_use_event(manifest, "trellis.health@v1", "Health.Heartbeat", EventUse::publish));
  CHECK(!may_use_event(manifest, "acme.ledger@v1", "Ledger.Opened", EventUse::publish));
}

TEST_CASE("bindings are read as far as they name a consumer") {
  const auto resources = parse_json(R"({"eventConsumers":{"books":{"stream":"trellis","consumerName":"tr_cons_1"},
                                                          "half":{"stream":"trellis"},"odd":7}})");
  const auto consumers = read_event_consumers(*resources);
  REQUIRE(consumers.size() == 1);
  CHECK(consumers.at("books").name == "tr_cons_1");
  CHECK(read_event_consumers(*parse_json("{}")).empty());
}
