#include "wire/connect_info.h"

#include "wire/connect_codec.h"
#include "wire/record_writer.h"

namespace trellis {
namespace {

std::vector<std::string> read_servers(const RecordReader &reader, std::string_view family) {
  if (!reader.has(family)) return {};
  const RecordReader object = reader.object(family);
  auto servers = object.texts("natsServers");
  if (servers.empty()) object.report("natsServers", "at least one server");
  return servers;
}

Transports read_transports(const RecordReader &reader) {
  return {read_servers(reader, "native"), read_servers(reader, "websocket")};
}

void add_servers(JsonObjectText &out, std::string_view family, const std::vector<std::string> &servers) {
  if (!servers.empty()) out.json(family, JsonObjectText().texts("natsServers", servers).str());
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto comma = list.find(',');
    auto item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    const auto first = item.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) continue;
    out.emplace_back(item.substr(first, item.find_last_not_of(" \t\r\n") - first + 1));
  }
  return out;
}

std::optional<bool> is_delegated(std::string_view authority) {
  if (authority == "user_delegated") return true;
  return authority == "admin_reviewed" ? std::optional(false) : std::nullopt;
}

void read_auth(const RecordReader &auth, ConnectInfo &info) {
  auth.literal("mode", info.kind == ConnectKind::service ? "service_identity" : "device_identity");
  if (info.kind == ConnectKind::device)
    info.user_delegated = auth.word("authority", is_delegated, "user_delegated or admin_reviewed");
  info.iat_skew_seconds = auth.integer("iatSkewSeconds", 1);
}

std::string auth_json(const ConnectInfo &info) {
  JsonObjectText out;
  out.text("mode", info.kind == ConnectKind::service ? "service_identity" : "device_identity");
  if (info.kind == ConnectKind::device)
    out.text("authority", info.user_delegated ? "user_delegated" : "admin_reviewed");
  return out.number("iatSkewSeconds", info.iat_skew_seconds).str();
}

std::string transport_json(const ConnectInfo &info) {
  JsonObjectText out;
  if (info.kind == ConnectKind::user) out.text("inboxPrefix", info.inbox_prefix);
  return out
      .json("sentinel", JsonObjectText().text("jwt", info.sentinel.jwt).text("seed", info.sentinel.seed.reveal()).str())
      .str();
}

} // namespace

ConnectInfo read_connect_info(const RecordReader &reader, ConnectKind kind) {
  ConnectInfo info;
  info.kind = kind;
  if (kind == ConnectKind::device) {
    info.instance_id = reader.non_empty("instanceId");
    info.deployment_id = reader.non_empty("deploymentId");
  } else {
    info.session_key = reader.non_empty("sessionKey");
  }
  info.contract_id = reader.non_empty("contractId");
  info.contract_digest = reader.non_empty("contractDigest");
  info.transports = read_transports(reader.object("transports"));
  const RecordReader transport = reader.object("transport");
  if (kind == ConnectKind::user) info.inbox_prefix = transport.non_empty("inboxPrefix");
  const RecordReader sentinel = transport.object("sentinel");
  info.sentinel.jwt = sentinel.non_empty("jwt");
  info.sentinel.seed = SecretText(sentinel.non_empty("seed"));
  if (kind != ConnectKind::user) read_auth(reader.object("auth"), info);
  return info;
}

Transports make_transports(const std::vector<std::string> &native, std::string_view nats_servers,
                           const std::vector<std::string> &websocket) {
  return {native.empty() ? split(nats_servers) : native, websocket};
}

std::string to_json(const Transports &transports) {
  JsonObjectText out;
  add_servers(out, "native", transports.native);
  add_servers(out, "websocket", transports.websocket);
  return out.str();
}

Result<Transports> parse_transports(std::string_view text) {
  return read_record(text, read_transports);
}

const std::vector<std::string> &servers_outside_browser(const Transports &transports) {
  return transports.native.empty() ? transports.websocket : transports.native;
}

std::string to_json(const ConnectInfo &info) {
  JsonObjectText out;
  if (info.kind == ConnectKind::device)
    out.text("instanceId", info.instance_id).text("deploymentId", info.deployment_id);
  else
    out.text("sessionKey", info.session_key);
  out.text("contractId", info.contract_id).text("contractDigest", info.contract_digest);
  out.json("transports", to_json(info.transports)).json("transport", transport_json(info));
  if (info.kind != ConnectKind::user) out.json("auth", auth_json(info));
  return out.str();
}

Result<ConnectInfo> parse_connect_info(std::string_view text, ConnectKind kind) {
  return read_record(text, [kind](const RecordReader &reader) { return read_connect_info(reader, kind); });
}

} // namespace trellis
