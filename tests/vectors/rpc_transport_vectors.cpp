// rpc-wire, transport_failure: calls that fail on a real nats-server.

#include "rpc_cases.h"

#include "contracts/json_write.h"
#include "nats/nats_transport.h"
#include "runtime/rpc_client.h"
#include "support/nats_server.h"
#include "wire/ulid.h"
#include <cmath>
#include <optional>

namespace trellis::vectors::rpc {
namespace {

constexpr std::chrono::seconds kConnectTimeout{20};

// Anyone is the user who may publish everything but `denied`.
std::string server_text(std::string_view denied, const JsonValue *max_payload) {
  std::string text = "accounts { APP { users: [ { user: anyone, password: anyone";
  if (!denied.empty()) text += ", permissions: { publish: { deny: [\"" + std::string(denied) + "\"] } }";
  text += " } ] } }\nno_auth_user: anyone\n";
  if (max_payload) text += "max_payload: " + std::to_string(max_payload->GetInt64()) + "\n";
  return text;
}

// The least value of a member's type; for texts, the letters that `padding` asks for.
std::string least_value(std::string_view type, std::size_t padding) {
  if (type == "integer" || type == "number") return "1";
  if (type == "boolean") return "true";
  if (type == "array") return "[]";
  if (type == "object") return "{}";
  return '"' + std::string(padding, 'a') + '"';
}

// An input that the method takes: its required members, with `padding` letters in each text.
std::string least_input(const JsonValue &schema, std::size_t padding) {
  JsonObjectText out;
  const auto *required = find_member(schema, "required");
  if (!required) return out.str();
  for (const auto &name : required->GetArray()) {
    const auto *member = find_member(*find_member(schema, "properties"), text_of(name));
    out.json(text_of(name), least_value(member ? string_member(*member, "type") : "", padding));
  }
  return out.str();
}

// The same, of exactly `payload_bytes` when given; the method's input must hold one text then.
std::string input_of(const JsonValue &schema, const JsonValue *payload_bytes) {
  if (!payload_bytes) return least_input(schema, 1);
  const auto around = least_input(schema, 0).size();
  return least_input(schema, static_cast<std::size_t>(payload_bytes->GetInt64()) - around);
}

struct Connection {
  explicit Connection(const std::string &url, const SessionKey &key) : loop(value_of(NatsLoop::start())) {
    NatsOptions options;
    options.servers = {url};
    options.inbox_prefix = key.inbox_prefix();
    transport = NatsTransport::open(*loop, options);
    if (!transport->wait_connected(kConnectTimeout)) throw std::runtime_error("no connection to nats-server");
  }
  ~Connection() { transport->close(kConnectTimeout); }

  std::unique_ptr<NatsLoop> loop;
  std::unique_ptr<NatsTransport> transport;
};

} // namespace

JsonDocument transport_failure_case(const Input &input, const CaseContext &context) {
  const auto condition = input.text("condition");
  const auto manifest = fixture_manifest(context);
  const auto method = value_of(compile_rpc(manifest, input.text("method")));
  const auto &schema = *manifest.schema(manifest.rpc(method.name)->input);
  const auto *timeout = input.find("timeoutMs");
  const auto *payload_bytes = input.find("payloadBytes");
  const auto *max_payload = input.find("maxPayload");
  const bool denied = condition == "publish_denied";
  if (!denied && condition != "no_subscriber" && condition != "timeout" && condition != "request_too_large")
    throw std::runtime_error("unknown condition " + condition);

  const trellis::test::NatsServer server({server_text(denied ? method.subject : "", max_payload), false, false});
  const auto key = fixture_key(context, "callerSeed");
  const Connection connection(server.url(), key);
  std::unique_ptr<Subscription> silent; // somebody who listens and never answers
  if (condition != "no_subscriber") silent = value_of(connection.transport->subscribe(method.subject, {}, [](auto) {}));
  value_of(connection.transport->flush(kConnectTimeout));

  CallOptions options;
  if (timeout) options.timeout = std::chrono::milliseconds(timeout->GetInt64());
  RpcClient client(*connection.transport, key, [] { return unix_ms_now() / 1000; });
  const auto started = std::chrono::steady_clock::now();
  const auto result = client.call_and_wait(method, input_of(schema, payload_bytes), options);
  const auto elapsed = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count();
  if (result) throw std::runtime_error("the call succeeded: " + *result);

  JsonDocument out;
  out.SetObject();
  put(out, "error", error_value(result.error().envelope));
  // "At least" isn't a rule of the comparison: the bound stands for every time that keeps it.
  const auto *bound = context.expected ? find_member(*context.expected, "elapsedMsAtLeast") : nullptr;
  if (bound) put(out, "elapsedMsAtLeast", JsonValue(elapsed >= bound->GetDouble() ? bound->GetDouble() : elapsed));
  return out;
}

} // namespace trellis::vectors::rpc
