// rpc-wire, service: one message through the service side of RPC, with a stub of the control plane behind it.
//
// The service asks with RequestValidator, as it would over NATS.

#include "service_stub.h"

#include <rapidjson/pointer.h>

namespace trellis::vectors::rpc {
namespace {

using namespace trellis::test;

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
  record_processed(control_plane, input, message);
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
