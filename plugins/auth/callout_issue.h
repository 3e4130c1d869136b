// The tokens that the callout writes: the user JWT of one connection and the response around it (03 §6.5, §6.6).
#pragma once

#include "callout_principal.h"
#include "callout_request.h"
#include "wire/nkeys.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis::auth {

struct IssueTerms {
  const NkeySeed &signer;     // K_target
  std::string target_account; // TRELLIS account public key
  std::int64_t lifetime_ms;   // ttlMs.natsJwt
};
// `use`: the connect token's member (ARCHITECTURE §5), which only services may make use of: it isn't signed, and a
// user or device answers nobody.
std::string issue_user_jwt(const Principal &principal, const CalloutRequest &request, std::string_view use,
                           const IssueTerms &terms, UnixMs now);

// `nats` members of the response.
std::string allowed_claims(std::string_view user_jwt, std::string_view issuer_account);
std::string denied_claims(std::string_view code);
// Signed by `signer` (K_issuer).
std::string response_jwt(std::string nats_claims, const CalloutRequest &request, const NkeySeed &signer, UnixMs now);

} // namespace trellis::auth
