// What the proofs of the login and session routes sign (03 §11.1, §11.2).
//
// Each value goes through SessionKey::sign_domain or verify_domain with its domain. Nothing is escaped around the
// colons: that is the protocol's form. `iat` is a double because a body may carry any JSON number; it is signed as its
// shortest decimal text.
#pragma once

#include "contracts/json.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

namespace domain {
inline constexpr char kNatsConnect[] = "nats-connect";
inline constexpr char kBootstrapClient[] = "bootstrap-client";
inline constexpr char kOauthInit[] = "oauth-init";
inline constexpr char kBindFlow[] = "bind-flow"; // its value is the flow id
inline constexpr char kLogoutSession[] = "logout-session";
} // namespace domain

std::string nats_connect_value(double iat, std::string_view contract_digest);
std::string bootstrap_client_value(double iat);

// `redirect_to` in the form that validate_redirect gives (wire/redirect.h).
struct OauthInit {
  std::string_view redirect_to;
  std::string_view provider;           // "" when absent
  const JsonValue *contract = nullptr; // the manifest; when null, `contract_digest` is signed
  std::string_view contract_digest;
  const JsonValue *context = nullptr; // an object; anything else is signed as null, like an absent one
};
// Error "non_canonical_number": a contract or context with a number that has no JSON form.
Result<std::string> oauth_init_value(const OauthInit &request);

// Only the members that the body holds are signed.
struct LogoutRequest {
  double iat = 0;
  std::optional<bool> provider_logout;
  std::optional<bool> federated_provider_logout;
  std::optional<std::string> return_to;
  std::optional<std::string> response_mode; // "json" or "redirect"
};
std::string logout_session_value(const LogoutRequest &request);

// Flow ids, auth tokens and OAuth state are stored under this hash (03 §1).
std::string opaque_token_hash(std::string_view token);

} // namespace trellis
