#include "event_stream.h"

#include "contracts/json_write.h"
#include "nats/nats_transport.h"
#include "transport/jetstream.h"
#include "wire/credentials.h"
#include <chrono>
#include <fstream>
#include <iterator>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTime = 15s;
constexpr char kStream[] = "trellis"; // 06 §1

std::string listed(const std::vector<std::string> &servers) {
  std::string out;
  for (const auto &server : servers)
    out += (out.empty() ? "" : ", ") + server;
  return out;
}

std::string stream_config(std::int64_t replicas) {
  return JsonObjectText().text("name", kStream).texts("subjects", {"events.>"}).number("num_replicas", replicas).str();
}

} // namespace

Result<void> make_event_stream(const std::vector<std::string> &servers, const std::filesystem::path &credentials,
                               std::int64_t replicas) {
  std::ifstream in(credentials, std::ios::binary);
  if (!in) return fail("secret_unreadable", credentials.string(), "can't be read", "credentials of a bundle");
  const auto user = parse_credentials(std::string(std::istreambuf_iterator<char>(in), {}));
  if (!user) return tl::make_unexpected(user.error());
  const auto loop = NatsLoop::start();
  if (!loop) return tl::make_unexpected(loop.error());
  NatsOptions options;
  options.servers = servers;
  options.name = "trellis event stream";
  options.inbox_prefix = "_INBOX.event-stream";
  options.credentials = [&user]() -> Result<ConnectionCredentials> {
    return ConnectionCredentials{{user->jwt, user->seed.clone()}, {}, {}};
  };
  const auto transport = NatsTransport::open(**loop, std::move(options));
  if (!transport->wait_connected(kConnectTime))
    return fail("nats_failed", listed(servers), "no NATS server lets us in", "the installation's server, running");
  const auto made = JetStream(*transport).create_stream(kStream, stream_config(replicas));
  transport->close(1s);
  if (!made) return tl::make_unexpected(made.error());
  return {};
}

} // namespace trellis::cli
