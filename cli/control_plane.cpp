#include "control_plane.h"
#include "call_errors.h"
#include "contracts/json_write.h"
#include "last_problem.h"
#include "wire/connect_token.h"
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit{10'000}, kLook{50}, kCloseLimit{2000}, kCallTimeout{5000};
constexpr std::int64_t kPage = 500;
constexpr std::size_t kMostEntries = 1'000'000; // of a list that never ends

// Until it is connected, refused, or the time is over.
Result<void> wait_connected(NatsTransport &transport, const LastProblem &problems, const std::string &where) {
  const auto deadline = std::chrono::steady_clock::now() + kConnectLimit;
  while (!transport.wait_connected(kLook)) {
    const Error problem = problems.last();
    if (problem.code != connect_error::kDenied && std::chrono::steady_clock::now() < deadline) continue;
    return fail("not_connected", where, "can't connect to NATS: " + problem.text());
  }
  return {};
}

std::string with_page(const std::string &filter, std::int64_t offset) {
  std::string out = filter.substr(0, filter.size() - 1);
  if (out.size() > 1) out += ",";
  return out + "\"offset\":" + std::to_string(offset) + ",\"limit\":" + std::to_string(kPage) + "}";
}

} // namespace

RpcMethod untyped_method(const std::string &name) {
  const auto any = Schema::compile(*parse_json("{}"));
  RpcMethod method{name, "rpc.v1." + name, {}, *any, *any, {}, false};
  for (const char *type : {"AuthError", "ValidationError", "UnexpectedError", "TransportError"})
    method.errors.emplace(type, std::nullopt);
  return method;
}

// Native server lists may hold bare hosts (04 §5.2).
std::vector<std::string> session_servers(const LoginSession &session) {
  std::string_view joined = session.nats_servers;
  std::vector<std::string> out;
  while (!joined.empty()) {
    const auto comma = std::min(joined.find(','), joined.size());
    std::string server(joined.substr(0, comma));
    joined.remove_prefix(std::min(comma + 1, joined.size()));
    std::erase_if(server, [](char c) { return c == ' ' || c == '\t'; });
    if (server.empty()) continue;
    out.push_back(server.find("://") == std::string::npos ? "nats://" + server : server);
  }
  return out;
}

Result<std::function<Result<ConnectionCredentials>()>> session_credentials(const LoginSession &session,
                                                                           std::shared_ptr<const ServerClock> clock) {
  auto seed = NkeySeed::parse(session.sentinel_seed.reveal());
  if (!seed) return tl::unexpected(seed.error());
  return [jwt = session.sentinel_jwt, seed = std::make_shared<const NkeySeed>(std::move(*seed)),
          key = std::make_shared<const SessionKey>(session.key.clone()), digest = session.contract_digest,
          clock = std::move(clock)]() -> Result<ConnectionCredentials> {
    auto token = [key, digest, clock] { return make_connect_token(*key, clock->now(), digest); };
    return ConnectionCredentials{{jwt, seed->clone()}, std::move(token), std::nullopt};
  };
}

Result<std::unique_ptr<ControlPlane>> ControlPlane::connect(const LoginSession &session) {
  const auto clock = std::make_shared<ServerClock>();
  const auto first = std::make_shared<LastProblem>();
  auto plane = open(session, clock, first);
  if (plane || first->last().code != connect_error::kDenied || !clock->learn(session)) return plane;
  return open(session, clock, std::make_shared<LastProblem>());
}

Result<std::unique_ptr<ControlPlane>> ControlPlane::open(const LoginSession &session,
                                                         std::shared_ptr<ServerClock> clock,
                                                         std::shared_ptr<LastProblem> problems) {
  auto credentials = session_credentials(session, clock);
  if (!credentials) return tl::unexpected(credentials.error());
  auto loop = NatsLoop::start();
  if (!loop) return tl::unexpected(loop.error());
  std::unique_ptr<ControlPlane> plane(new ControlPlane(std::move(clock)));
  plane->key_ = session.key.clone();
  plane->loop_ = std::move(*loop);

  NatsOptions options;
  options.servers = session_servers(session);
  options.name = "trellis";
  options.inbox_prefix = session.key.inbox_prefix();
  options.credentials = std::move(*credentials);
  options.on_problem = [problems](const Error &error) { problems->set(error); };
  options.on_state = [self = plane.get()](ConnectionState state, const std::string &) {
    if (state == ConnectionState::disconnected) self->disconnected_ = true;
  };
  plane->transport_ = NatsTransport::open(*plane->loop_, std::move(options));
  if (auto connected = wait_connected(*plane->transport_, *problems, session.nats_servers); !connected)
    return tl::unexpected(connected.error());
  plane->disconnected_ = false; // attempts that failed before don't count
  plane->client_ =
      std::make_unique<RpcClient>(*plane->transport_, plane->key_, [clock = plane->clock_] { return clock->now(); });
  return plane;
}

ControlPlane::~ControlPlane() {
  client_.reset();
  if (transport_) transport_->close(kCloseLimit);
}

CallResult ControlPlane::call_method(const RpcMethod &method, std::string_view input, const CallOptions &options) {
  return client_->call_and_wait(method, input, options);
}

Result<JsonDocument> ControlPlane::call(const std::string &rpc, const std::string &input) {
  const RpcMethod method = untyped_method(rpc);
  CallOptions options;
  options.timeout = kCallTimeout;
  const auto answer = call_method(method, input, options);
  if (!answer) return tl::unexpected(call_error(answer.error(), rpc));
  return parse_json(*answer, {std::size_t{64} << 20, 512});
}

Result<JsonDocument> ControlPlane::list(const std::string &rpc, const std::string &filter) {
  JsonDocument all;
  all.SetObject();
  rapidjson::Value entries(rapidjson::kArrayType);
  std::int64_t offset = 0;
  while (true) {
    const auto page = call(rpc, with_page(filter, offset));
    if (!page) return tl::unexpected(page.error());
    const JsonValue *found = find_member(*page, "entries");
    if (!found || !found->IsArray())
      return fail("answer_invalid", rpc, "the answer has no entries", "a page (05 §2.3)");
    for (const JsonValue &entry : found->GetArray())
      entries.PushBack(rapidjson::Value(entry, all.GetAllocator()), all.GetAllocator());
    const JsonValue *next = find_member(*page, "nextOffset");
    if (!next || !next->IsInt64() || next->GetInt64() <= offset || entries.Size() > kMostEntries) break;
    offset = next->GetInt64();
  }
  const auto count = entries.Size();
  all.AddMember("entries", entries, all.GetAllocator());
  all.AddMember("count", rapidjson::Value(count), all.GetAllocator());
  all.AddMember("offset", rapidjson::Value(0), all.GetAllocator());
  all.AddMember("limit", rapidjson::Value(kPage), all.GetAllocator());
  return all;
}

} // namespace trellis::cli
