// rpc-wire, service: one message through the service side of RPC, with a stub of the control plane behind it.
//
// The service asks with RequestValidator, as it would over NATS. The stub decides with LocalValidator, looks at the
// user as step 6 of 03 §10 asks, and names itself in the errors' context.

#include "rpc_cases.h"

#include "contracts/json_write.h"
#include "replay/replay_cache.h"
#include "runtime/fake_transport.h"
#include "runtime/rpc_service.h"
#include <optional>
#include <rapidjson/pointer.h>

namespace trellis::vectors::rpc {
namespace {

using namespace trellis::test;

constexpr std::string_view kOwnRequestId = "<request-id of the service's own Validate call>";

// One Auth.Requests.Validate, and what it knows of the case's caller.
class ControlPlane {
public:
  ControlPlane(const Input &input, const CaseContext &context)
      : now_(input.at("validatorNow").GetInt64()), replay_(value_of(ReplayCache::in_memory())),
        validator_(*replay_, [this] { return now_; }) {
    const auto &session = input.at("callerSession");
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

  void record(std::string_view session_key, std::string_view request_id, std::int64_t iat) {
    value_of(replay_->insert(session_key, request_id, now_, iat));
  }

  Result<MessagePtr> answer(const Outbound &request) {
    ++calls;
    for (const auto &header : *request.headers)
      if (header.name == wire::kRequestId) own_request_id = header.value;
    const auto result = decide(value_of(parse_json(request.payload)));
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

private:
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

FakeMessage read_message(const Input &input) {
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

// {"$input": pointer} at any depth.
void fill_in(JsonValue &value, const JsonValue &handler_input, JsonDocument::AllocatorType &allocator) {
  if (value.IsArray())
    for (auto &item : value.GetArray())
      fill_in(item, handler_input, allocator);
  if (!value.IsObject()) return;
  if (const auto *pointer = find_member(value, "$input")) {
    const auto *found = rapidjson::Pointer(pointer->GetString(), pointer->GetStringLength()).Get(handler_input);
    if (!found) throw std::runtime_error("the handler's input has no " + std::string(text_of(*pointer)));
    value.CopyFrom(*found, allocator);
    return;
  }
  for (auto &member : value.GetObject())
    fill_in(member.value, handler_input, allocator);
}

// A handler's list of steps, run against the functions that the host offers a plugin.
class Handler {
public:
  Handler(const JsonValue &steps, const Manifest &manifest, const CaseContext &context)
      : steps_(steps), service_{std::string(string_member(*context.fixtures, "serviceRuntimeName")), manifest.id(),
                                manifest.digest()} {}

  RpcReply run(const RpcMethod &method, const AdmittedRequest &request) const {
    for (const auto &step : steps_.GetArray())
      for (const auto &action : step.GetObject())
        return act(text_of(action.name), action.value, method, request);
    return throw_error(method, request, "the handler returned nothing");
  }

private:
  RpcReply act(std::string_view name, const JsonValue &value, const RpcMethod &method,
               const AdmittedRequest &request) const {
    if (name == "return") return return_value(value, method, request);
    if (name == "returnError") return return_error(value, method, request);
    if (name == "throw") return throw_error(method, request, text_of(value));
    if (name == "throwError") return throw_error(method, request, string_member(value, "type"));
    throw std::runtime_error("unknown handler step " + std::string(name));
  }

  RpcReply return_value(const JsonValue &value, const RpcMethod &method, const AdmittedRequest &request) const {
    JsonDocument output;
    output.CopyFrom(value, output.GetAllocator());
    fill_in(output, value_of(parse_json(request.input)), output.GetAllocator());
    return success_reply(method, to_json(output), request.trace_id);
  }

  RpcReply return_error(const JsonValue &value, const RpcMethod &method, const AdmittedRequest &request) const {
    JsonDocument fields;
    fields.CopyFrom(value, fields.GetAllocator());
    for (const char *name : {"type", "message", "context"})
      fields.RemoveMember(name);
    const auto *context = find_member(value, "context");
    const auto context_text = context ? to_json(*context) : std::string();
    const auto fields_text = to_json(fields);
    const HandlerError error{string_member(value, "type"), string_member(value, "message"), context_text, fields_text};
    return error_reply(service_, method, request, error).reply;
  }

  RpcReply throw_error(const RpcMethod &method, const AdmittedRequest &request, std::string_view cause) const {
    return error_reply(service_, method, request, {{}, cause, {}, {}}).reply;
  }

  const JsonValue &steps_;
  ServiceIdentity service_;
};

RpcMethod method_of_subject(const Manifest &manifest, std::string_view subject) {
  if (manifest.model().rpc)
    for (const auto &[name, surface] : *manifest.model().rpc)
      if (surface.subject == subject) return value_of(compile_rpc(manifest, name));
  throw std::runtime_error("no rpc has the subject " + std::string(subject));
}

void put_handler_call(JsonDocument &out, const AdmittedRequest &request) {
  put(out, "handlerInput", value_of(parse_json(request.input)));
  const auto context =
      JsonObjectText().json("caller", request.caller->caller).text("sessionKey", request.session_key).str();
  put(out, "handlerContext", value_of(parse_json(context)));
}

// A context that the control plane made is compared as far as it is fixed; the request id must be that of our call.
JsonDocument received_error(std::string_view payload, const ControlPlane &control_plane) {
  const auto envelope = value_of(parse_envelope(payload));
  auto out = error_value(envelope);
  auto &context = out["context"];
  if (string_member(context, "method") != wire::kValidateMethod) return out;
  if (string_member(context, "requestId") == control_plane.own_request_id)
    context["requestId"] = rapidjson::StringRef(kOwnRequestId.data(), kOwnRequestId.size());
  return out;
}

void put_reply(JsonDocument &out, const Replies &replies, const ControlPlane &control_plane) {
  const auto all = replies.all();
  if (all.size() > 1) throw std::runtime_error("more than one reply");
  put(out, "replied", JsonValue(!all.empty()));
  if (all.empty()) return;
  JsonDocument headers;
  headers.SetObject();
  for (const auto &header : all[0].headers)
    put(headers, header.name, header.value);
  put(out, "headers", headers);
  if (all[0].is_error())
    put(out, "error", received_error(all[0].payload, control_plane));
  else
    put(out, "payload", all[0].payload);
}

} // namespace

JsonDocument service(const Input &input, const CaseContext &context) {
  const auto manifest = fixture_manifest(context);
  const auto message = read_message(input);
  const auto method = method_of_subject(manifest, message.subject());
  const Handler handler(input.at("handler"), manifest, context);
  ControlPlane control_plane(input, context);
  if (input.flag("alreadyProcessed"))
    control_plane.record(message.header(wire::kSessionKey), message.header(wire::kRequestId),
                         std::stoll(std::string(message.header(wire::kIat))));
  ScriptedTransport transport;
  transport.on_request = [&](const Outbound &request, std::chrono::milliseconds, const Transport::OnReply &on_reply) {
    on_reply(control_plane.answer(request));
  };
  const auto key = fixture_key(context, "serviceSeed");
  RequestValidator validator(transport, key, [&] { return input.at("validatorNow").GetInt64(); });

  JsonDocument out;
  out.SetObject();
  const auto outcome = admit(method, message, validator);
  const auto *admitted = std::get_if<AdmittedRequest>(&outcome);
  if (admitted) put_handler_call(out, *admitted);
  const auto reply = admitted ? handler.run(method, *admitted) : std::get<RpcReply>(outcome);
  const auto trace_id = std::string(wire::trace_id_of(message.header(wire::kTraceparent)));
  send_reply(method, message, reply, trace_id);
  put(out, "validateCalls", JsonValue(control_plane.calls));
  put(out, "handlerCalls", JsonValue(admitted ? 1 : 0));
  put_reply(out, *message.replies, control_plane);
  return out;
}

} // namespace trellis::vectors::rpc
