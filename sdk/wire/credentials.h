// NATS credentials files: a user JWT and the seed that belongs to it (03 §3).
#pragma once

#include "contracts/result.h"
#include "wire/nkeys.h"
#include <string>
#include <string_view>

namespace trellis {

struct NatsCredentials {
  std::string jwt;
  NkeySeed seed;
};

// Errors: "credentials_invalid" naming the block that is missing (or more than 64 KiB), "nkey_*".
Result<NatsCredentials> parse_credentials(std::string_view text);
SecretText format_credentials(const NatsCredentials &credentials);

} // namespace trellis
