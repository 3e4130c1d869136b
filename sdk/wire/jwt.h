// NATS JWT v2 (03 §4, §2, §6.5): writing operator, account, user and authorization response tokens, and reading any.
#pragma once

#include "contracts/json.h"
#include "wire/nkeys.h"
#include <cstdint>
#include <optional>
#include <rapidjson/document.h> // DecodedJwt holds a document by value
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// What every claims object has around its `nats` member. Members are written in the order exp, nbf, aud, name, sub,
// nats, iss, iat, jti (absent ones left out); receivers don't care.
struct JwtClaims {
  std::optional<std::int64_t> expires_at; // exp, Unix seconds
  std::optional<std::int64_t> not_before;
  std::string audience; // "" = left out
  std::string name;     // "" = left out
  std::string subject;
  std::int64_t issued_at = 0;
  std::string nats; // JSON object text, with `type` and `version`
};

// 03 §4: what tokens that name no receiver of their own carry.
inline constexpr char kDefaultAudience[] = "NATS";

// `issuer` signs; its public text becomes `iss`.
std::string sign_jwt(const JwtClaims &claims, const NkeySeed &issuer);

struct DecodedJwt {
  std::string issuer, subject, audience, name;
  std::optional<std::int64_t> issued_at, expires_at, not_before;
  JsonDocument claims;
};
// Three chunks, a known header, a signature that is valid for `iss`. Expiry is the caller's business.
// Errors: "jwt_malformed", "jwt_header", "jwt_signature".
Result<DecodedJwt> decode_jwt(std::string_view token);

// The permissions and limits of one connection's user (03 §6.5), as the JSON text for JwtClaims::nats.
struct UserClaims {
  std::vector<std::string> publish_allow, subscribe_allow;
  std::vector<std::string> publish_deny, subscribe_deny; // only for provisioned users
  std::optional<int> response_max;
  std::optional<std::int64_t> response_ttl_ns;
  std::string locale;         // IANA time zone; "" = left out (03 §6.5: no effect)
  std::string issuer_account; // "" when signed by the account key itself
  std::int64_t data = -1, payload = -1, subs = -1;
};
std::string user_nats_claims(const UserClaims &claims);

struct AccountClaims {
  bool jetstream = false;
  std::vector<std::string> signing_keys;
  // The auth callout: all three or none.
  std::vector<std::string> auth_users, allowed_accounts;
  std::string xkey;
};
std::string account_nats_claims(const AccountClaims &claims);
std::string operator_nats_claims(std::string_view system_account);

} // namespace trellis
