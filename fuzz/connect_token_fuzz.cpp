// Connect tokens from outside: what is accepted has the form of 03 §6.3, and checking it never fails otherwise than
// with a denial code.

#include "require.h"
#include "wire/connect_token.h"
#include "wire/session_key.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

using trellis::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  const auto token = trellis::parse_connect_token(text);
  if (!token) {
    require(token.error() == (text.empty() ? "auth_token_required" : "invalid_auth_token"));
    return 0;
  }
  require(trellis::is_session_key_text(token->session_key));
  require(trellis::is_signature_text(token->signature));
  require(std::trunc(token->iat) == token->iat);
  const auto checked = trellis::check_connect_token(text, 1767225600);
  require(checked || checked.error() == "iat_out_of_range" || checked.error() == "invalid_signature");
  return 0;
}
