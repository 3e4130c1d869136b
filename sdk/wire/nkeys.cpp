#include "wire/nkeys.h"

#include "wire/sodium_ready.h"
#include <sodium.h>
#include <stdexcept>

namespace trellis {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::size_t kPublicSize = 1 + 32 + 2; // prefix, key, checksum
constexpr std::size_t kSeedSize = 2 + 32 + 2;   // two prefix bytes, seed, checksum
constexpr std::size_t kMaxText = 58;

// CRC-16/XMODEM.
std::uint16_t crc16(ByteView bytes) {
  unsigned crc = 0;
  for (const std::uint8_t b : bytes) {
    crc ^= static_cast<unsigned>(b) << 8;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1;
  }
  return static_cast<std::uint16_t>(crc & 0xFFFFU);
}

void put_checksum(std::uint8_t *bytes, std::size_t covered) {
  const std::uint16_t crc = crc16({bytes, covered});
  bytes[covered] = static_cast<std::uint8_t>(crc & 0xFF);
  bytes[covered + 1] = static_cast<std::uint8_t>(crc >> 8);
}

bool checksum_fits(ByteView bytes) {
  const std::size_t covered = bytes.size() - 2;
  return crc16(bytes.first(covered)) == (bytes[covered] | bytes[covered + 1] << 8);
}

// Allocates once, so that no copy of a seed stays behind in the heap.
std::string base32(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() * 8 + 4) / 5);
  unsigned bits = 0;
  unsigned count = 0;
  for (const std::uint8_t b : bytes) {
    bits = (bits << 8 | b) & 0xFFFU;
    for (count += 8; count >= 5; count -= 5)
      out += kAlphabet[(bits >> (count - 5)) & 31U];
  }
  if (count > 0) out += kAlphabet[(bits << (5 - count)) & 31U];
  return out;
}

int base32_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= '2' && c <= '7') return c - '2' + 26;
  return -1;
}

// The bytes of a key's text; they wipe themselves because they may be a seed.
struct Decoded {
  SecretBytes<kSeedSize> bytes;
  std::size_t size = 0;

  ByteView view() const { return bytes.reveal().first(size); }
};

tl::unexpected<Error> invalid(std::string message) {
  return fail("nkey_invalid", {}, std::move(message), "an nkey: 56 or 58 characters of A-Z and 2-7");
}

Result<Decoded> decode_text(std::string_view text) {
  if (text.size() > kMaxText) return invalid("the text is too long for an nkey");
  Decoded out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int digit = base32_digit(c);
    if (digit < 0) return invalid("a character that is not base32");
    bits = (bits << 5 | static_cast<unsigned>(digit)) & 0xFFFU;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    out.bytes.data()[out.size++] = static_cast<std::uint8_t>(bits >> count & 0xFFU);
  }
  if (out.size < 4) return invalid("the text is too short for an nkey");
  if (!checksum_fits(out.view())) return fail("nkey_checksum", {}, "the checksum does not fit the nkey");
  // One key has one text: neither a character behind the last byte nor bits that no byte holds.
  if (count >= 5 || (bits & ((1U << count) - 1)) != 0) return invalid("the text holds more than the nkey's bytes");
  return out;
}

bool is_known(unsigned prefix) {
  switch (static_cast<NkeyType>(prefix)) {
  case NkeyType::account:
  case NkeyType::cluster:
  case NkeyType::server:
  case NkeyType::operator_:
  case NkeyType::private_:
  case NkeyType::user:
  case NkeyType::curve: return true;
  }
  return false;
}

// A letter names the type for people: every text starts with its own.
std::string letter(NkeyType type) {
  return std::string(1, kAlphabet[static_cast<unsigned>(type) >> 3]);
}

tl::unexpected<Error> wrong_type(NkeyType found, NkeyType expected) {
  return fail("nkey_type", {}, "a key of type " + letter(found), "a key of type " + letter(expected));
}

} // namespace

std::string encode_nkey(const PublicNkey &key) {
  std::array<std::uint8_t, kPublicSize> raw{};
  raw[0] = static_cast<std::uint8_t>(key.type);
  std::copy(key.bytes.begin(), key.bytes.end(), raw.begin() + 1);
  put_checksum(raw.data(), kPublicSize - 2);
  return base32(raw);
}

Result<PublicNkey> decode_nkey(std::string_view text) {
  auto decoded = decode_text(text);
  if (!decoded) return tl::make_unexpected(decoded.error());
  const ByteView raw = decoded->view();
  if (!is_known(raw[0])) return fail("nkey_prefix", {}, "an unknown key type", "a public nkey");
  if (raw.size() != kPublicSize) return invalid("wrong length for a public nkey");
  PublicNkey key;
  key.type = static_cast<NkeyType>(raw[0]);
  std::copy_n(raw.begin() + 1, key.bytes.size(), key.bytes.begin());
  return key;
}

Result<PublicNkey> decode_nkey(std::string_view text, NkeyType expected) {
  auto key = decode_nkey(text);
  if (key && key->type != expected) return wrong_type(key->type, expected);
  return key;
}

bool verify_signature(const PublicKeyBytes &key, ByteView message, ByteView signature) {
  if (signature.size() != crypto_sign_BYTES) return false;
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.data()) == 0;
}

NkeySeed NkeySeed::generate(NkeyType type) {
  ensure_sodium();
  SecretBytes<32> raw;
  randombytes_buf(raw.data(), raw.size());
  return from_raw(type, raw);
}

NkeySeed NkeySeed::from_raw(NkeyType type, const SecretBytes<32> &raw) {
  ensure_sodium();
  NkeySeed seed;
  seed.type_ = type;
  seed.raw_ = raw.clone();
  if (type == NkeyType::curve)
    crypto_scalarmult_base(seed.public_bytes_.data(), raw.data());
  else
    crypto_sign_seed_keypair(seed.public_bytes_.data(), seed.expanded_.data(), raw.data());
  seed.public_text_ = encode_nkey({type, seed.public_bytes_});
  return seed;
}

Result<NkeySeed> NkeySeed::parse(std::string_view text) {
  auto decoded = decode_text(text);
  if (!decoded) return tl::make_unexpected(decoded.error());
  const ByteView raw = decoded->view();
  if ((raw[0] & 0xF8) != 0x90) return fail("nkey_not_a_seed", {}, "the nkey is not a seed", "a seed, S...");
  const unsigned prefix = ((raw[0] & 7U) << 5) | (raw[1] >> 3);
  // Private keys have no seed form (03 §3).
  if (!is_known(prefix) || prefix == static_cast<unsigned>(NkeyType::private_))
    return fail("nkey_prefix", {}, "a seed of an unknown key type");
  if (raw.size() != kSeedSize) return invalid("wrong length for a seed");
  SecretBytes<32> bytes;
  std::copy_n(raw.begin() + 2, bytes.size(), bytes.data());
  return from_raw(static_cast<NkeyType>(prefix), bytes);
}

Result<NkeySeed> NkeySeed::parse(std::string_view text, NkeyType expected) {
  auto seed = parse(text);
  if (seed && seed->type() != expected) return wrong_type(seed->type(), expected);
  return seed;
}

SecretText NkeySeed::text() const {
  SecretBytes<kSeedSize> raw;
  const auto prefix = static_cast<unsigned>(type_);
  raw.data()[0] = static_cast<std::uint8_t>(0x90U | prefix >> 5);
  raw.data()[1] = static_cast<std::uint8_t>((prefix & 0x1FU) << 3);
  std::copy_n(raw_.data(), raw_.size(), raw.data() + 2);
  put_checksum(raw.data(), kSeedSize - 2);
  return SecretText(base32(raw.reveal()));
}

SignatureBytes NkeySeed::sign(ByteView message) const {
  if (type_ == NkeyType::curve) throw std::logic_error("a curve key can't sign");
  SignatureBytes signature{};
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), expanded_.data());
  return signature;
}

} // namespace trellis
