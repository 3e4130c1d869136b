// rpc-wire: what a client sends and how it reads a reply, paging, and what the other kinds share (README §3.4).

#include "rpc_cases.h"

#include "contracts/json_write.h"
#include "runtime/fake_transport.h"
#include "runtime/paging.h"
#include "runtime/rpc_client.h"
#include <optional>

namespace trellis::vectors {
namespace rpc {
namespace {

using trellis::test::FakeMessage;
using trellis::test::ScriptedTransport;

JsonDocument object() {
  JsonDocument out;
  out.SetObject();
  return out;
}

JsonDocument parsed(std::string_view text) {
  return value_of(parse_json(text));
}

const JsonValue &fixture(const CaseContext &context, std::string_view name) {
  const auto *found = context.fixtures ? find_member(*context.fixtures, name) : nullptr;
  if (!found) throw std::runtime_error("the file has no fixture " + std::string(name));
  return *found;
}

JsonDocument issue_paths(const JsonValue &issues) {
  JsonDocument paths;
  paths.SetArray();
  for (const auto &issue : issues.GetArray())
    paths.PushBack(JsonValue(*find_member(issue, "path"), paths.GetAllocator()), paths.GetAllocator());
  return paths;
}

// A wrapped envelope without the members that are never compared.
JsonDocument remote_value(const JsonValue &remote) {
  JsonDocument out;
  out.CopyFrom(remote, out.GetAllocator());
  out.RemoveMember("id");
  out.RemoveMember("message");
  return out;
}

void put_field(JsonDocument &out, std::string_view name, const JsonValue &value) {
  if (name == "hint") return; // a text for people
  if (name == "issues")
    put(out, "issuePaths", issue_paths(value));
  else if (name == "remoteError")
    put(out, name, remote_value(value));
  else
    put(out, name, value);
}

} // namespace

JsonDocument headers_value(const Headers &headers) {
  auto out = object();
  for (const auto &header : headers)
    put(out, header.name, header.value);
  return out;
}

JsonDocument not_sent(const ErrorEnvelope &error) {
  auto shape = error_value(error);
  shape.RemoveMember("context");
  auto out = object();
  put(out, "sent", JsonValue(false));
  put(out, "error", shape);
  return out;
}

Manifest fixture_manifest(const CaseContext &context) {
  return value_of(Manifest::validate(fixture(context, "contract")));
}

RpcMethod fixture_method(const CaseContext &context, std::string_view name) {
  return value_of(compile_rpc(fixture_manifest(context), name));
}

SessionKey fixture_key(const CaseContext &context, std::string_view name) {
  return value_of(SessionKey::from_seed(text_of(fixture(context, name))));
}

void put(JsonDocument &object, std::string_view name, const JsonValue &value) {
  auto &allocator = object.GetAllocator();
  const auto size = static_cast<rapidjson::SizeType>(name.size());
  object.AddMember(JsonValue(name.data(), size, allocator), JsonValue(value, allocator), allocator);
}

void put(JsonDocument &object, std::string_view name, std::string_view text) {
  const auto size = static_cast<rapidjson::SizeType>(text.size());
  put(object, name, JsonValue(text.data(), size, object.GetAllocator()));
}

JsonDocument error_value(const ErrorEnvelope &error) {
  auto out = object();
  put(out, "type", error.type);
  if (!error.trace_id.empty()) put(out, "traceId", error.trace_id);
  const auto fields = parsed(error.fields);
  for (const auto &member : fields.GetObject())
    put_field(out, text_of(member.name), member.value);
  auto context = parsed(error.context);
  for (const char *internal : {"causeStack", "causeName", "lowLevelMessage"})
    context.RemoveMember(internal);
  put(out, "context", context);
  return out;
}

JsonDocument client_request(const Input &input, const CaseContext &context) {
  const auto method = fixture_method(context, input.text("method"));
  const auto arguments = to_json(input.at("args"));
  const auto *seed = input.find("sessionSeed");
  const auto *iat = input.find("iat");
  const auto key = seed ? value_of(SessionKey::from_seed(text_of(*seed))) : fixture_key(context, "callerSeed");
  CallOptions options;
  options.request_id = input.text_or("requestId", "r");

  // Through the client and its transport, as far as a request gets without a server.
  auto out = object();
  ScriptedTransport transport;
  transport.on_request = [&](const Outbound &sent, std::chrono::milliseconds, const Transport::OnReply &) {
    put(out, "subject", sent.subject);
    put(out, "headers", headers_value(*sent.headers));
    put(out, "payload", sent.payload);
    put(out, "payloadSha256", sha256_base64url(sent.payload));
    put(out, "replyPrefix", key.inbox_prefix() + ".");
  };
  std::optional<CallError> refused;
  {
    RpcClient client(transport, key, [&] { return iat ? iat->GetInt64() : 0; });
    client.call(method, arguments, options, [&](const CallResult &result) { refused = result.error(); });
    if (refused) return not_sent(refused->envelope);
  }
  return out;
}

JsonDocument client_decode(const Input &input, const CaseContext &context) {
  const auto name = input.text("method");
  // The declared errors of the case take the place of the contract's.
  JsonDocument contract;
  contract.CopyFrom(fixture(context, "contract"), contract.GetAllocator());
  auto &allocator = contract.GetAllocator();
  JsonValue errors(rapidjson::kArrayType);
  for (const auto &type : input.at("declaredErrors").GetArray()) {
    JsonValue declared(rapidjson::kObjectType);
    declared.AddMember("type", JsonValue(type, allocator), allocator);
    errors.PushBack(declared, allocator);
  }
  auto &rpc = contract["rpc"][name.c_str()];
  rpc.RemoveMember("errors");
  rpc.AddMember("errors", errors, allocator);
  const auto method = value_of(compile_rpc(value_of(Manifest::validate(contract)), name));

  FakeMessage reply;
  for (const auto &header : input.at("headers").GetObject())
    reply.header_list.push_back({std::string(text_of(header.name)), std::string(text_of(header.value))});
  const bool is_error = reply.header("status") == "error";
  const auto result = decode_reply(method, is_error, input.text("payload"));
  auto out = object();
  put(out, "outcome", result ? "ok" : "error");
  if (result)
    put(out, "value", parsed(*result));
  else
    put(out, "error", error_value(result.error().envelope));
  return out;
}

namespace {

const JsonValue *argument(const JsonValue &arguments, rapidjson::SizeType index) {
  return index < arguments.Size() && !arguments[index].IsNull() ? &arguments[index] : nullptr;
}

Result<std::string> run_paging(std::string_view fn, const JsonValue &args) {
  const auto *second = argument(args, 1);
  if (fn == "offsetPage") {
    const auto query = normalize_offset(args[2]);
    if (!query) return tl::make_unexpected(query.error());
    return offset_page(to_json(args[0]), second->GetInt64(), *query);
  }
  if (fn == "cursorPage")
    return cursor_page(to_json(args[0]), second ? std::optional(std::string(text_of(*second))) : std::nullopt);
  if (fn == "normalizeOffset") {
    const auto query = second ? normalize_offset(args[0], second->GetInt64()) : normalize_offset(args[0]);
    if (!query) return tl::make_unexpected(query.error());
    return JsonObjectText().number("offset", query->offset).number("limit", query->limit).str();
  }
  if (fn != "normalizeCursor") throw std::runtime_error("unknown fn " + std::string(fn));
  const auto query = second ? normalize_cursor(args[0], second->GetInt64()) : normalize_cursor(args[0]);
  if (!query) return tl::make_unexpected(query.error());
  JsonObjectText out;
  if (query->cursor) out.text("cursor", *query->cursor);
  return out.number("limit", query->limit).str();
}

} // namespace

JsonDocument pagination(const Input &input, const CaseContext &) {
  const auto result = run_paging(input.text("fn"), input.at("args"));
  auto out = object();
  if (result)
    put(out, "value", parsed(*result));
  else
    put(out, "error", result.error().code == "out_of_range" ? "RangeError" : result.error().code);
  return out;
}

} // namespace rpc

void register_rpc(Registry &registry) {
  auto &kinds = registry["rpc-wire"];
  kinds["client_request"] = {rpc::client_request, {}};
  kinds["service"] = {rpc::service, {.subset = {"handlerContext"}, .json_texts = {"payload"}}};
  kinds["client_decode"] = {rpc::client_decode, {}};
  kinds["transport_failure"] = {rpc::transport_failure_case, {}};
  kinds["pagination"] = {rpc::pagination, {}};
}

} // namespace trellis::vectors
