// What nats-server asks on $SYS.REQ.USER.AUTH (03 §6.1): sealed bytes in, the few facts that matter out.
//
// Pure, so that hostile payloads are tested without a server. A request that can't be read gets the empty reply, and
// the reason for the log, never more.
#pragma once

#include "contracts/encoding.h"
#include "contracts/result.h"
#include "wire/nkeys.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

struct CalloutRequest {
  std::string server_xkey; // whom the answer is sealed to
  std::string user_nkey;   // U..., of this attempt only
  std::string server_id;   // N...
  std::string server_name; // else the id
  std::string client_ip;   // "" when unknown
  std::optional<std::int64_t> client_id;
  std::string auth_token; // "" when absent
};

// nats-server's requests are a few KiB; its default max_payload is 1 MiB.
inline constexpr std::size_t kMaxCalloutBytes = std::size_t{1} << 20;

// Error "callout_request" saying what is missing or wrong.
Result<CalloutRequest> decode_callout_request(const NkeySeed &xkey, std::string_view server_xkey, ByteView payload);

} // namespace trellis::auth
