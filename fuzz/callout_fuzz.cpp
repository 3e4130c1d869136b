// What arrives on $SYS.REQ.USER.AUTH: sealed bytes of anybody, and the claims that they may hold. The claims are signed
// and sealed here, so that the fuzzer reaches what lies behind both.

#include "callout_request.h"
#include "require.h"
#include "wire/jwt.h"
#include "wire/xkey.h"

namespace {

using namespace trellis;

template <class T>
T value(Result<T> result) {
  fuzz::require(result.has_value());
  return std::move(*result);
}

struct Keys {
  NkeySeed callout = NkeySeed::generate(NkeyType::curve), server_xkey = NkeySeed::generate(NkeyType::curve),
           server = NkeySeed::generate(NkeyType::server);
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const Keys keys;
  const std::string sender = keys.server_xkey.public_text();
  static_cast<void>(auth::decode_callout_request(keys.callout, sender, {data, size}));
  static_cast<void>(auth::decode_callout_request(keys.callout, as_text({data, size}), {data, size}));

  JwtClaims claims;
  claims.audience = "nats-authorization-request";
  claims.subject = "A";
  claims.issued_at = 1767225600;
  claims.nats = as_text({data, size});
  const auto sealed =
      value(xkey_seal(keys.server_xkey, keys.callout.public_text(), as_bytes(sign_jwt(claims, keys.server))));
  const auto request = auth::decode_callout_request(keys.callout, sender, sealed);
  if (request) fuzz::require(!request->user_nkey.empty() && !request->server_id.empty());
  return 0;
}
