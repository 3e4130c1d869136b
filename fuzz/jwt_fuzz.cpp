// Tokens from outside. Random bytes never carry a valid signature, so the bytes are also signed as claims, which is
// what reaches the code behind the signature check.

#include "require.h"
#include "wire/jwt.h"

#include <cstddef>
#include <cstdint>

using trellis::fuzz::require;

namespace {

const trellis::NkeySeed &issuer() {
  static const auto seed = trellis::NkeySeed::from_raw(trellis::NkeyType::account, trellis::SecretBytes<32>());
  return seed;
}

std::string signed_claims(trellis::ByteView claims) {
  std::string token = trellis::base64url(trellis::as_bytes(R"({"typ":"JWT","alg":"ed25519-nkey"})"));
  token.append(".").append(trellis::base64url(claims));
  const auto signature = issuer().sign(trellis::as_bytes(token));
  return token.append(".").append(trellis::base64url(signature));
}

void names_survive(std::string_view text) {
  trellis::JwtClaims claims;
  claims.name = text;
  claims.subject = text;
  claims.nats = "{}";
  require(trellis::decode_jwt(trellis::sign_jwt(claims, issuer())).has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  (void)trellis::decode_jwt(text);
  const auto decoded = trellis::decode_jwt(signed_claims({data, size}));
  require(!decoded || decoded->issuer == issuer().public_text());
  names_survive(text);
  return 0;
}
