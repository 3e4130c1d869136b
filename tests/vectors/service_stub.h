// What the service side of rpc-wire and feed-wire runs against: one inbound message, and a stub of the control plane.
//
// The stub decides with LocalValidator, looks at the user as step 6 of 03 §10 asks, and names itself in the errors'
// context.
#pragma once

#include "rpc_cases.h"

#include "contracts/json_write.h"
#include "replay/replay_cache.h"
#include "runtime/fake_transport.h"
#include "runtime/rpc_service.h"
#include <optional>

namespace trellis::vectors::rpc {

using namespace trellis::test;

inline constexpr std::string_view kOwnRequestId = "<request-id of the service's own Validate call>";

// One Auth.Requests.Validate, and what it knows of the case's caller.
class ControlPlane {
public:
  ControlPlane(const Input &input, const CaseContext &context)
      : now_(input.at("validatorNow").GetInt64()), replay_(value_of(ReplayCache::in_memory())),
        validator_(*replay_, [this] { return now_; }) {
    const auto &session = caller_session(input, context);
    if (session.IsNull()) return;
    auto caller = std::make_shared<CallerSession>();
    const auto key = fixture_key(context, "callerSeed");
    caller->inbox_prefix = key.inbox_prefix();
    for (const auto &subject : find_member(session, "delegatedPublishSubjects")->GetArray())
      caller->publish_subjects.emplace_back(text_of(subject));
    take_user(*caller, find_member(*find_member(*context.fixtures, "users"), string_member(session, "user")));
    SessionDirectory sessions;
    sessions.emplace(key.text(), std::move(caller));
    validator_.replace_sessions(std::move(sessions));
  }

  void forget_sessions() { validator_.replace_sessions({}); }
  void record(std::string_view session_key, std::string_view request_id, std::int64_t iat) {
    value_of(replay_->insert(session_key, request_id, now_, iat));
  }

  Result<MessagePtr> answer(const Outbound &request) {
    ++calls;
    for (const auto &header : *request.headers)
      if (header.name == wire::kRequestId) own_request_id = header.value;
    const auto question = value_of(parse_json(request.payload));
    asked_capabilities = to_json(*find_member(question, "capabilities"));
    const auto result = decide(question);
    if (result)
      return reply_message(JsonObjectText()
                               .flag("allowed", result->allowed)
                               .text("inboxPrefix", result->caller->inbox_prefix)
                               .json("caller", result->caller->caller)
                               .str());
    auto error = result.error();
    error.context = JsonObjectText()
                        .text("method", wire::kValidateMethod)
                        .text("requestId", own_request_id)
                        .text("service", "trellis")
                        .str();
    return reply_message(error.to_json(), true);
  }

  int calls = 0;
  std::string own_request_id;
  std::string asked_capabilities; // of the last call, JSON

private:
  // feed-wire has the caller's session among its fixtures, and a case may have another.
  static const JsonValue &caller_session(const Input &input, const CaseContext &context) {
    const auto *given = input.find("callerSession");
    if (!given) given = find_member(*context.fixtures, "callerSession");
    if (!given) throw std::runtime_error("neither the case nor the fixtures have a callerSession");
    return *given;
  }

  void take_user(CallerSession &caller, const JsonValue *user) {
    if (!user) {
      refused_user_ = "user_not_found";
      return;
    }
    if (const auto *active = find_member(*user, "active"); active && active->IsFalse()) refused_user_ = "user_inactive";
    for (const auto &capability : find_member(*user, "capabilities")->GetArray())
      caller.capabilities.emplace_back(text_of(capability));
    JsonDocument shown;
    shown.CopyFrom(*user, shown.GetAllocator());
    put(shown, "type", "user");
    caller.caller = to_json(shown);
  }

  tl::expected<Validation, ErrorEnvelope> decide(const JsonValue &question) {
    const auto hash = base64url_decode(string_member(question, "payloadHash"));
    if (!hash || hash->size() != 32) return tl::make_unexpected(auth_error("invalid_signature"));
    std::vector<std::string> capabilities;
    for (const auto &capability : find_member(question, "capabilities")->GetArray())
      capabilities.emplace_back(text_of(capability));
    ValidationRequest request{string_member(question, "sessionKey"),
                              string_member(question, "proof"),
                              string_member(question, "subject"),
                              {},
                              find_member(question, "iat")->GetInt64(),
                              string_member(question, "requestId"),
                              capabilities,
                              false};
    std::copy(hash->begin(), hash->end(), request.payload_hash.begin());
    auto result = validator_.validate(request);
    if (result && !refused_user_.empty()) return tl::make_unexpected(auth_error(refused_user_));
    return result;
  }

  std::int64_t now_;
  std::unique_ptr<ReplayCache> replay_;
  LocalValidator validator_;
  std::string refused_user_; // the AuthError's reason for the session's user, "" when the user is all right
};

inline FakeMessage read_message(const Input &input) {
  FakeMessage message;
  message.subject_text = input.text("subject");
  message.payload_text = input.text("payload");
  for (const auto &header : input.at("headers").GetObject())
    message.header_list.push_back({std::string(text_of(header.name)), std::string(text_of(header.value))});
  if (const auto *reply = input.find("reply"); reply && reply->IsString()) message.reply_text = text_of(*reply);
  if (const auto at = message.reply_text.find("<token>"); at != std::string::npos)
    message.reply_text.replace(at, 7, "t0k3n");
  return message;
}

// The case says that this request was validated before.
inline void record_processed(ControlPlane &control_plane, const Input &input, const FakeMessage &message) {
  if (input.flag("alreadyProcessed"))
    control_plane.record(message.header(wire::kSessionKey), message.header(wire::kRequestId),
                         std::stoll(std::string(message.header(wire::kIat))));
}

// A context that the control plane made is compared as far as it is fixed; the request id must be that of our call.
inline JsonDocument received_error(std::string_view payload, const ControlPlane &control_plane) {
  const auto envelope = value_of(parse_envelope(payload));
  auto out = error_value(envelope);
  auto &context = out["context"];
  if (string_member(context, "method") != wire::kValidateMethod) return out;
  if (string_member(context, "requestId") == control_plane.own_request_id)
    context["requestId"] = rapidjson::StringRef(kOwnRequestId.data(), kOwnRequestId.size());
  return out;
}

} // namespace trellis::vectors::rpc
