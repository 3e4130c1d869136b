// Keys, seeds, credentials files and sealed payloads from outside: what is accepted survives being written again.

#include "require.h"
#include "wire/credentials.h"
#include "wire/device.h"
#include "wire/presence.h"
#include "wire/session_key.h"
#include "wire/xkey.h"

#include <cstddef>
#include <cstdint>

using trellis::fuzz::require;

namespace {

void check_keys(std::string_view text) {
  if (const auto key = trellis::decode_nkey(text)) require(trellis::encode_nkey(*key) == text);
  if (const auto seed = trellis::NkeySeed::parse(text)) {
    const auto again = trellis::NkeySeed::parse(seed->text().reveal());
    require(again && again->public_text() == seed->public_text());
  }
  if (const auto key = trellis::SessionKey::from_seed(text)) require(trellis::is_session_key_text(key->text()));
}

void check_credentials(std::string_view text) {
  const auto credentials = trellis::parse_credentials(text);
  if (!credentials) return;
  const auto again = trellis::parse_credentials(trellis::format_credentials(*credentials).reveal());
  require(again && again->jwt == credentials->jwt);
}

void check_sealed(trellis::ByteView sealed) {
  static const auto seed = trellis::NkeySeed::from_raw(trellis::NkeyType::curve, trellis::SecretBytes<32>());
  (void)trellis::xkey_open(seed, seed.public_text(), sealed);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  check_keys(text);
  check_credentials(text);
  check_sealed({data, size});
  if (const auto key = trellis::parse_connection_key(text))
    require(trellis::parse_connection_key(trellis::format_connection_key(*key))->scope_id == key->scope_id);
  (void)trellis::decode_activation_payload(text);
  (void)trellis::verify_domain(text, "domain", text, text);
  return 0;
}
