// The connect token that a participant sends as NATS auth token (03 §6.3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace trellis {

class SessionKey;

struct ConnectToken {
  std::string session_key;
  double iat = 0; // integral
  std::string contract_digest;
  std::string signature;
  std::string use; // "", "rpc" or "stream": ours (ARCHITECTURE §5)
};

// JSON text: v, sessionKey, iat, contractDigest, sig and, when not empty, use.
std::string make_connect_token(const SessionKey &key, std::int64_t iat, std::string_view contract_digest,
                               std::string_view use = {});

// Steps 1 and 2 of 03 §6.3; the error is the denial code.
tl::expected<ConnectToken, std::string> parse_connect_token(std::string_view text);
// Steps 1 to 4. `now`: server clock, seconds.
tl::expected<ConnectToken, std::string> check_connect_token(std::string_view text, std::int64_t now);

} // namespace trellis
