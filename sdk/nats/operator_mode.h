// A nats-server in operator mode for tests: one account, and users of it with the lifetime that a test asks for.
#pragma once

#include "nats/nats_transport.h"
#include "wire/jwt.h"
#include "wire/nkeys.h"
#include <chrono>
#include <string>

namespace trellis::test {

class OperatorMode {
public:
  // Lines for nats.conf.
  std::string config() const {
    return "operator: " + jwt_of(operator_, operator_.public_text(), operator_nats_claims(system_.public_text())) +
           "\nsystem_account: " + system_.public_text() + "\nresolver: MEMORY\nresolver_preload: {\n  " +
           account_line(system_) + "\n  " + account_line(account_) + "\n}\n";
  }

  // A new user of the account, whose JWT ends `life` from now (seconds are what JWTs count in).
  ConnectionCredentials user(std::chrono::seconds life, const UserClaims &claims = {}) const {
    auto seed = NkeySeed::generate(NkeyType::user);
    const std::int64_t expires_at = now() + life.count();
    auto jwt = sign_jwt({.expires_at = expires_at,
                         .not_before = {},
                         .audience = {},
                         .name = "test",
                         .subject = seed.public_text(),
                         .issued_at = now(),
                         .nats = user_nats_claims(claims)},
                        account_);
    return {.user = {.jwt = std::move(jwt), .seed = std::move(seed)}, .auth_token = {}, .expires_at = expires_at};
  }

private:
  static std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  static std::string jwt_of(const NkeySeed &issuer, const std::string &subject, std::string claims) {
    return sign_jwt({.expires_at = {},
                     .not_before = {},
                     .audience = {},
                     .name = "test",
                     .subject = subject,
                     .issued_at = now(),
                     .nats = std::move(claims)},
                    issuer);
  }
  std::string account_line(const NkeySeed &account) const {
    return account.public_text() + ": " + jwt_of(operator_, account.public_text(), account_nats_claims({}));
  }

  NkeySeed operator_ = NkeySeed::generate(NkeyType::operator_);
  NkeySeed system_ = NkeySeed::generate(NkeyType::account);
  NkeySeed account_ = NkeySeed::generate(NkeyType::account);
};

} // namespace trellis::test
