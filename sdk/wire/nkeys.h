// nkeys: NATS's text form of Ed25519 and X25519 keys (03 §3).
#pragma once

#include "contracts/result.h"
#include "wire/secret.h"
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis {

// The values are the prefix bytes.
enum class NkeyType : std::uint8_t {
  account = 0x00,
  cluster = 0x10,
  server = 0x68,
  operator_ = 0x70,
  private_ = 0x78,
  user = 0xA0,
  curve = 0xB8, // xkey: X25519
};

using PublicKeyBytes = std::array<std::uint8_t, 32>;
using SignatureBytes = std::array<std::uint8_t, 64>;

struct PublicNkey {
  NkeyType type = NkeyType::user;
  PublicKeyBytes bytes{};
};

// 56 characters.
std::string encode_nkey(const PublicNkey &key);
// Errors: "nkey_invalid" (characters or length), "nkey_checksum", "nkey_prefix", "nkey_type" when `expected` differs.
Result<PublicNkey> decode_nkey(std::string_view text);
Result<PublicNkey> decode_nkey(std::string_view text, NkeyType expected);

// Verifies an Ed25519 signature of an nkey; RFC 8032 with S < L.
bool verify_signature(const PublicKeyBytes &key, ByteView message, ByteView signature);

// A key pair. The seed wipes itself.
class NkeySeed {
public:
  static NkeySeed generate(NkeyType type);
  static NkeySeed from_raw(NkeyType type, const SecretBytes<32> &raw);
  // Errors as decode_nkey, and "nkey_not_a_seed".
  static Result<NkeySeed> parse(std::string_view text);
  static Result<NkeySeed> parse(std::string_view text, NkeyType expected);

  NkeyType type() const { return type_; }
  const std::string &public_text() const { return public_text_; } // "U...", "A..."
  const PublicKeyBytes &public_bytes() const { return public_bytes_; }
  SecretText text() const; // "SU...", 58 characters
  const SecretBytes<32> &raw() const { return raw_; }
  NkeySeed clone() const { return from_raw(type_, raw_); }
  // Ed25519; not for curve keys.
  SignatureBytes sign(ByteView message) const;

private:
  NkeySeed() = default;
  NkeyType type_ = NkeyType::user;
  SecretBytes<32> raw_;
  SecretBytes<64> expanded_; // libsodium's secret key form, kept so that signing needs no derivation
  PublicKeyBytes public_bytes_{};
  std::string public_text_;
};

} // namespace trellis
