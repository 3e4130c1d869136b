#include "callout_issue.h"

#include "contracts/json_write.h"
#include "wire/jwt.h"
#include <utility>

namespace trellis::auth {
namespace {

constexpr int kStreamResponses = 65535;
constexpr std::int64_t kDataLimit = 100000000, kSubscriptionLimit = 1500; // 03 §6.5
constexpr std::int64_t kNanosecondsPerMs = 1000000;

std::string name_of(const Session &session) {
  if (const auto *user = session.user()) return user->email;
  if (const auto *service = session.service()) return service->email;
  return "device:" + session.device()->instance_id;
}

ResponsePermission response_of(const Principal &principal, std::string_view use) {
  if (!principal.session.service()) return {1, false};
  if (use == "rpc") return {1, false};
  if (use == "stream") return {kStreamResponses, true};
  return principal.permissions.response;
}

std::string response_claims(JsonObjectText claims) {
  return claims.text("type", "authorization_response").number("version", 2).str();
}

} // namespace

std::string issue_user_jwt(const Principal &principal, const CalloutRequest &request, std::string_view use,
                           const IssueTerms &terms, UnixMs now) {
  const auto response = response_of(principal, use);
  UserClaims user;
  user.publish_allow = principal.permissions.publish;
  user.subscribe_allow = principal.permissions.subscribe;
  user.response_max = response.max; // always: without it an empty publish list would allow everything
  if (response.streaming) user.response_ttl_ns = terms.lifetime_ms * kNanosecondsPerMs;
  user.issuer_account = terms.target_account;
  user.data = kDataLimit;
  user.subs = kSubscriptionLimit;

  JwtClaims claims;
  claims.expires_at = (now + terms.lifetime_ms) / 1000;
  claims.audience = "trellis";
  claims.name = name_of(principal.session);
  claims.subject = request.user_nkey;
  claims.issued_at = now / 1000;
  claims.nats = user_nats_claims(user);
  return sign_jwt(claims, terms.signer);
}

std::string allowed_claims(std::string_view user_jwt, std::string_view issuer_account) {
  return response_claims(JsonObjectText().text("jwt", user_jwt).text("issuer_account", issuer_account));
}

std::string denied_claims(std::string_view code) {
  return response_claims(JsonObjectText().text("error", code));
}

std::string response_jwt(std::string nats_claims, const CalloutRequest &request, const NkeySeed &signer, UnixMs now) {
  JwtClaims claims;
  claims.audience = request.server_id;
  claims.subject = request.user_nkey;
  claims.issued_at = now / 1000;
  claims.nats = std::move(nats_claims);
  return sign_jwt(claims, signer);
}

} // namespace trellis::auth
