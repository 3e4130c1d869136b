// What a participant needs to reach NATS: transports, sentinel and identity, as bootstrap and bind answers carry it
// (03 §7.2; 04 §5, §6, §7, §16.3).
//
// One type for users, services and devices: they differ in which members are there, and a client that connects looks at
// the common ones only. The kind says which the codec writes and insists on.
#pragma once

#include "contracts/json.h"
#include "wire/secret.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

struct Transports {
  std::vector<std::string> native, websocket; // NATS server URLs; empty = the family is absent
  bool operator==(const Transports &) const = default;
};
// `native`: the configured list, else `nats_servers` split at commas (04 §5.2).
Transports make_transports(const std::vector<std::string> &native, std::string_view nats_servers,
                           const std::vector<std::string> &websocket);
std::string to_json(const Transports &transports);
Result<Transports> parse_transports(std::string_view text);
// Native first outside a browser, else websocket; empty when there is neither.
const std::vector<std::string> &servers_outside_browser(const Transports &transports);

// The user that everyone connects as before the callout answers. Its seed is known to all, but no log needs it.
struct Sentinel {
  std::string jwt;
  SecretText seed;
};

enum class ConnectKind { user, service, device };
inline constexpr std::int64_t kIatSkewSeconds = 30;

struct ConnectInfo {
  ConnectKind kind = ConnectKind::user;
  std::string session_key;                // user, service
  std::string instance_id, deployment_id; // device
  std::string contract_id, contract_digest;
  Transports transports;
  std::string inbox_prefix; // user
  Sentinel sentinel;
  bool user_delegated = false;                     // device: "user_delegated", else "admin_reviewed"
  std::int64_t iat_skew_seconds = kIatSkewSeconds; // service, device; >= 1
};
std::string to_json(const ConnectInfo &info);
// Error "invalid_record". Unknown members are ignored.
Result<ConnectInfo> parse_connect_info(std::string_view text, ConnectKind kind);

} // namespace trellis
