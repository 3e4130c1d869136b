// One rpc, its caller and a validator that knows them, for tests.
#pragma once

#include "replay/replay_cache.h"
#include "runtime/fake_transport.h"
#include "runtime/rpc_service.h"
#include "wire/session_key.h"
#include <rapidjson/document.h>

namespace trellis::test {

inline constexpr std::int64_t kNow = 1767225600;
inline constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
inline constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";

inline Schema schema_of(std::string_view text) {
  return Schema::compile(parse_json(text).value()).value();
}

inline RpcMethod charge_method() {
  RpcMethod method;
  method.name = "Billing.Charge";
  method.subject = "rpc.v1.Billing.Charge";
  method.input = schema_of(R"({"type":"object","required":["cents"],"properties":{"cents":{"type":"integer"}}})");
  method.output = schema_of(R"({"type":"object","required":["id"],"properties":{"id":{"type":"string"}}})");
  method.errors.emplace("UnexpectedError", std::nullopt);
  method.errors.emplace("AuthError", std::nullopt);
  method.errors.emplace(
      "QuotaExceededError",
      schema_of(R"({"type":"object","required":["limit"],"properties":{"limit":{"type":"integer"}}})"));
  return method;
}

inline std::shared_ptr<const CallerSession> session_of(const SessionKey &key,
                                                       std::vector<std::string> capabilities = {}) {
  auto session = std::make_shared<CallerSession>();
  session->caller = R"({"type":"user","userId":"u1","capabilities":[]})";
  session->inbox_prefix = key.inbox_prefix();
  session->capabilities = std::move(capabilities);
  session->publish_subjects = {"rpc.v1.Billing.>"};
  return session;
}

// A service's surroundings: one caller with a session, the clock at kNow.
struct RpcFixture {
  RpcMethod method = charge_method();
  SessionKey caller = SessionKey::generate();
  std::unique_ptr<ReplayCache> replay = ReplayCache::in_memory().value();
  std::int64_t now = kNow;
  LocalValidator validator{*replay, [this] { return now; }};
  ServiceIdentity service{"billing", "acme.billing@v1", "digest"};

  RpcFixture() { validator.replace_sessions({{caller.text(), session_of(caller)}}); }

  FakeMessage message(std::string_view payload = R"({"cents":1})", std::string_view request_id = "r1") const {
    return signed_message(caller, method.subject, payload, now, request_id);
  }
  std::variant<AdmittedRequest, RpcReply> admit(const FakeMessage &given) {
    return trellis::admit(method, given, validator);
  }
  // The error that `given` is answered with; fails the reader (an exception) when it is admitted.
  ErrorEnvelope refusal(const FakeMessage &given) {
    return parse_envelope(std::get<RpcReply>(admit(given)).payload).value();
  }
  AdmittedRequest admitted(const FakeMessage &given) { return std::get<AdmittedRequest>(admit(given)); }
};

} // namespace trellis::test
