#include "runtime/rpc_client.h"

#include "runtime/rpc_fixture.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <thread>

using namespace trellis;
using namespace trellis::test;

namespace {

using namespace std::chrono_literals;

Result<MessagePtr> failure(const char *code) {
  return fail(code, "subject", "what happened");
}

CallError error_of(const CallResult &result) {
  REQUIRE_FALSE(result);
  return result.error();
}

CallError decoded_error(std::string_view payload) {
  return error_of(decode_reply(charge_method(), true, payload));
}

// A client on a transport that records each attempt and answers as a test says.
struct ClientFixture {
  RpcMethod method = charge_method();
  SessionKey key = SessionKey::generate();
  ScriptedTransport transport;
  std::mutex mutex; // guards attempts: retries come from the timer thread
  std::vector<SignedRequest> attempts;
  std::vector<std::chrono::steady_clock::time_point> times;
  std::function<Result<MessagePtr>(std::size_t)> answer; // number of the attempt, from 1
  RpcClient client{transport, key, [] { return kNow; }};

  ClientFixture() {
    transport.on_request = [this](const Outbound &request, std::chrono::milliseconds,
                                  const Transport::OnReply &on_reply) { on_reply(answer(record(request))); };
  }
  std::size_t record(const Outbound &request) {
    const std::lock_guard lock(mutex);
    attempts.push_back({std::string(request.subject), std::string(request.payload), *request.headers});
    times.push_back(std::chrono::steady_clock::now());
    return attempts.size();
  }
};

std::string header(const Headers &headers, std::string_view name) {
  for (const auto &entry : headers)
    if (entry.name == name) return entry.value;
  return {};
}

} // namespace

TEST_CASE("a request is signed over the bytes that are sent") {
  const auto key = SessionKey::generate();
  const auto method = charge_method();
  const auto request = sign_request(method, R"({ "cents": 1 })", key, kNow, "r1");
  REQUIRE(request);
  CHECK(request->subject == method.subject);
  CHECK(request->payload == R"({ "cents": 1 })");
  REQUIRE(request->headers.size() == 4);
  CHECK(header(request->headers, "iat") == std::to_string(kNow));
  CHECK(verify_request_proof(key.text(), method.subject, sha256(as_bytes(request->payload)), kNow, "r1",
                             header(request->headers, "proof")));
}

TEST_CASE("an input that breaks the schema or is no JSON is refused before it is sent") {
  const auto key = SessionKey::generate();
  for (const std::string_view input : {R"({"cents":"x"})", "{}", "oops", ""}) {
    const auto request = sign_request(charge_method(), input, key, kNow, "r1");
    REQUIRE_FALSE(request);
    CHECK(request.error().local);
    CHECK(request.error().envelope.type == "ValidationError");
  }
}

TEST_CASE("a request to a templated subject goes to the concrete one, and is signed for it") {
  const auto key = SessionKey::generate();
  auto method = charge_method();
  method.subject = "rpc.v1.Billing.{/cents}.Charge";
  const auto request = sign_request(method, R"({"cents":7})", key, kNow, "r1");
  REQUIRE(request);
  CHECK(request->subject == "rpc.v1.Billing.7.Charge");
  CHECK(verify_request_proof(key.text(), request->subject, sha256(as_bytes(request->payload)), kNow, "r1",
                             header(request->headers, "proof")));
}

TEST_CASE("a subject token without a value is refused before anything is sent, by its pointer") {
  auto method = charge_method();
  method.subject = "rpc.v1.Billing.{/account/id}.Charge";
  const auto request = sign_request(method, R"({"cents":7})", SessionKey::generate(), kNow, "r1");
  REQUIRE_FALSE(request);
  CHECK(request.error().local);
  CHECK(request.error().envelope.type == "ValidationError");
  CHECK(request.error().envelope.context == R"({"key":"/account/id"})");
  CHECK(request.error().envelope.fields.find("\"path\":\"/account/id\"") != std::string::npos);
}

TEST_CASE("a success is the reply's text with members that the schema doesn't know") {
  CHECK(decode_reply(charge_method(), false, R"({"id":"x", "more":1})") == R"({"id":"x", "more":1})");
}

TEST_CASE("a success that breaks the output schema is a local ValidationError") {
  const auto error = error_of(decode_reply(charge_method(), false, R"({"id":7})"));
  CHECK(error.local);
  CHECK(error.envelope.type == "ValidationError");
}

TEST_CASE("a reply that can't be read is an invalid response") {
  for (const bool is_error : {false, true})
    for (const std::string_view payload : {"", "oops", "{\"id\":"}) {
      const auto error = error_of(decode_reply(charge_method(), is_error, payload));
      CHECK(error.local);
      CHECK(error.envelope.code() == "trellis.request.invalid_response");
      CHECK_FALSE(error.envelope.field("hint").empty());
    }
}

TEST_CASE("an error without the envelope's members is an invalid response") {
  for (const std::string_view payload :
       {R"({"type":"X","message":"m"})", R"({"id":"1","message":"m"})", R"({"id":"1","type":"X"})",
        R"({"id":1,"type":"X","message":"m"})", R"({"id":"1","type":"X","message":"m","context":[]})",
        R"({"id":"1","type":"X","message":"m","traceId":7})", "[]", "7"})
    CHECK(decoded_error(payload).envelope.code() == "trellis.request.invalid_response");
}

TEST_CASE("a declared contract error that fits its schema is typed") {
  const auto error = decoded_error(
      R"({"id":"1","type":"QuotaExceededError","message":"m","limit":1,"context":{"k":1},"traceId":"t"})");
  CHECK_FALSE(error.local);
  CHECK(error.envelope.type == "QuotaExceededError");
  CHECK(error.envelope.id == "1");
  CHECK(error.envelope.fields == R"({"limit":1})");
  CHECK(error.envelope.context == R"({"k":1})");
  CHECK(error.envelope.trace_id == "t");
}

TEST_CASE("a declared error that doesn't fit is a local ValidationError") {
  for (const std::string_view payload :
       {R"({"id":"1","type":"QuotaExceededError","message":"m"})", R"({"id":"1","type":"AuthError","message":"m"})",
        R"({"id":"1","type":"AuthError","message":"m","reason":"invented"})"}) {
    const auto error = decoded_error(payload);
    CHECK(error.local);
    CHECK(error.envelope.type == "ValidationError");
  }
}

TEST_CASE("an undeclared error arrives as RemoteError with the whole envelope") {
  const auto error = decoded_error(R"({"id":"1","type":"KVError","message":"m","x":[1],"context":{}})");
  CHECK_FALSE(error.local);
  CHECK(error.envelope.type == "RemoteError");
  CHECK(error.envelope.message == "m");
  CHECK(error.envelope.fields == R"({"remoteError":{"id":"1","type":"KVError","message":"m","x":[1],"context":{}}})");
}

TEST_CASE("each failure of the transport has its code") {
  auto method = charge_method();
  method.capabilities = {"a"};
  const auto code = [&](const char *failure) {
    return transport_failure(method, {failure, "s", "m", {}, {}}).envelope.code();
  };
  CHECK(code(transport_error::kNoResponders) == "trellis.request.unavailable");
  CHECK(code(transport_error::kDenied) == "trellis.request.denied");
  CHECK(code(transport_error::kTimeout) == "trellis.request.failed");
  CHECK(code(transport_error::kTooLarge) == "trellis.request.failed");
  CHECK(code(transport_error::kClosed) == "trellis.request.failed");
  const auto error = transport_failure(method, {transport_error::kNoResponders, "s", "m", {}, {}});
  CHECK(error.local);
  CHECK_FALSE(error.envelope.field("hint").empty());
  CHECK(error.envelope.context ==
        R"({"subject":"rpc.v1.Billing.Charge","method":"Billing.Charge","requiredCapabilities":["a"],)"
        R"("noResponders":true,"lowLevelMessage":"s: m","causeName":"no_responders","causeMessage":"m"})");
}

TEST_CASE("a call returns the output, and carries the trace of its options") {
  ClientFixture fixture;
  fixture.answer = [](std::size_t) { return reply_message(R"({"id":"x"})"); };
  CallOptions options;
  options.traceparent = kTraceparent;
  options.tracestate = "vendor=1";
  options.request_id = "mine";
  CHECK(fixture.client.call_and_wait(fixture.method, R"({"cents":1})", options) == R"({"id":"x"})");
  const auto &headers = fixture.attempts.at(0).headers;
  CHECK(header(headers, "traceparent") == kTraceparent);
  CHECK(header(headers, "tracestate") == "vendor=1");
  CHECK(header(headers, "request-id") == "mine");
}

TEST_CASE("an input that is refused is never sent") {
  ClientFixture fixture;
  CHECK(error_of(fixture.client.call_and_wait(fixture.method, "{}")).envelope.type == "ValidationError");
  CHECK(fixture.attempts.empty());
}

TEST_CASE("without responders a call is sent three times, the same each time") {
  ClientFixture fixture;
  fixture.answer = [](std::size_t) { return failure(transport_error::kNoResponders); };
  const auto error = error_of(fixture.client.call_and_wait(fixture.method, R"({"cents":1})"));
  CHECK(error.envelope.code() == "trellis.request.unavailable");
  REQUIRE(fixture.attempts.size() == 3);
  for (const std::size_t again : {1U, 2U}) {
    CHECK(fixture.attempts[again].payload == fixture.attempts[0].payload);
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(fixture.attempts[again].headers[i].value == fixture.attempts[0].headers[i].value);
  }
  CHECK(fixture.times[1] - fixture.times[0] >= 200ms);
  CHECK(fixture.times[2] - fixture.times[1] >= 400ms);
}

TEST_CASE("a retry that is answered is a success") {
  ClientFixture fixture;
  fixture.answer = [](std::size_t attempt) {
    return attempt == 1 ? failure(transport_error::kNoResponders) : reply_message(R"({"id":"x"})");
  };
  CHECK(fixture.client.call_and_wait(fixture.method, R"({"cents":1})"));
  CHECK(fixture.attempts.size() == 2);
}

TEST_CASE("no other failure is tried again") {
  ClientFixture fixture;
  fixture.answer = [](std::size_t) { return failure(transport_error::kTimeout); };
  CHECK(error_of(fixture.client.call_and_wait(fixture.method, R"({"cents":1})")).envelope.code() ==
        "trellis.request.failed");
  CHECK(fixture.attempts.size() == 1);
}

TEST_CASE("a call doesn't hold up the thread that brings its failure") {
  ClientFixture fixture;
  fixture.answer = [](std::size_t) { return failure(transport_error::kNoResponders); };
  std::promise<CallResult> result;
  const auto started = std::chrono::steady_clock::now();
  fixture.client.call(fixture.method, R"({"cents":1})", {}, [&](CallResult r) { result.set_value(std::move(r)); });
  CHECK(std::chrono::steady_clock::now() - started < 150ms); // on_reply ran inside it
  CHECK_FALSE(result.get_future().get());
}

TEST_CASE("calls that wait when their client ends get a TransportError, once") {
  const auto method = charge_method();
  const auto key = SessionKey::generate();
  ScriptedTransport transport;
  std::vector<Transport::OnReply> held;
  std::size_t number = 0;
  transport.on_request = [&](const Outbound &, std::chrono::milliseconds, Transport::OnReply on_reply) {
    if (++number == 1)
      held.push_back(std::move(on_reply)); // waits for its reply
    else
      on_reply(failure(transport_error::kNoResponders)); // waits for its next attempt
  };
  std::vector<CallResult> results;
  {
    RpcClient client(transport, key, [] { return kNow; });
    for (int i = 0; i < 2; ++i)
      client.call(method, R"({"cents":1})", {}, [&](CallResult result) { results.push_back(std::move(result)); });
  }
  REQUIRE(results.size() == 2);
  for (const auto &result : results) {
    CHECK(error_of(result).envelope.code() == "trellis.request.failed");
    CHECK(error_of(result).envelope.context.find("\"causeName\":\"closed\"") != std::string::npos);
  }
  held[0](reply_message(R"({"id":"late"})")); // the transport may still answer
  CHECK(results.size() == 2);
}

TEST_CASE("a closed client has ended its calls, and ends every later one at once without sending it") {
  ClientFixture fixture;
  fixture.answer = [](std::size_t) { return failure(transport_error::kNoResponders); };
  std::vector<CallResult> results;
  const auto call = [&] {
    fixture.client.call(fixture.method, R"({"cents":1})", {},
                        [&](CallResult result) { results.push_back(std::move(result)); });
  };
  call();
  CHECK(results.empty()); // it waits for its second attempt
  fixture.client.close();
  REQUIRE(results.size() == 1);
  CHECK(error_of(results[0]).transport_code == transport_error::kClosed);
  call();
  REQUIRE(results.size() == 2);
  CHECK(error_of(results[1]).transport_code == transport_error::kClosed);
  CHECK(error_of(fixture.client.call_and_wait(fixture.method, R"({"cents":1})")).transport_code ==
        transport_error::kClosed);
  CHECK(fixture.attempts.size() == 1);
}

TEST_CASE("a client may end while other threads bring its replies") {
  const auto method = charge_method();
  const auto key = SessionKey::generate();
  for (int round = 0; round < 20; ++round) {
    ScriptedTransport transport;
    std::mutex mutex;
    std::vector<Transport::OnReply> held;
    transport.on_request = [&](const Outbound &, std::chrono::milliseconds, Transport::OnReply on_reply) {
      const std::lock_guard lock(mutex);
      held.push_back(std::move(on_reply));
    };
    std::atomic<int> results{0};
    std::thread network;
    {
      RpcClient client(transport, key, [] { return kNow; });
      for (int i = 0; i < 10; ++i)
        client.call(method, R"({"cents":1})", {}, [&](const CallResult &) { ++results; });
      network = std::thread([&] {
        for (auto &on_reply : held)
          on_reply(round % 2 == 0 ? reply_message(R"({"id":"x"})") : failure(transport_error::kNoResponders));
      });
    }
    CHECK(results == 10);
    network.join();
    CHECK(results == 10);
  }
}
