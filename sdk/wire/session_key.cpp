#include "wire/session_key.h"

#include "wire/sodium_ready.h"
#include <algorithm>
#include <array>
#include <sodium.h>

namespace trellis {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

bool is_base64url(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_base64url_of(std::string_view text, std::size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), is_base64url);
}

Sha256 domain_digest(std::string_view domain, std::string_view value) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (const std::string_view part : {domain, std::string_view(":"), value})
    crypto_hash_sha256_update(&state, as_bytes(part).data(), part.size());
  Sha256 digest;
  crypto_hash_sha256_final(&state, digest.data());
  return digest;
}

template <std::size_t N>
bool decode_exact(std::string_view text, std::array<std::uint8_t, N> &out) {
  const auto bytes = base64url_decode(text);
  if (!bytes || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

std::string first22_of_hash(std::string_view text) {
  return sha256_base64url(text).substr(0, 22);
}

} // namespace

SessionKey SessionKey::generate() {
  ensure_sodium();
  SecretBytes<32> seed;
  randombytes_buf(seed.data(), seed.size());
  return from_raw(seed);
}

Result<SessionKey> SessionKey::from_seed(std::string_view text) {
  const std::string_view digits = trimmed(text);
  auto bytes = base64url_decode(digits);
  if (!bytes && !std::all_of(digits.begin(), digits.end(), is_base64url))
    return fail("invalid_seed", {}, "the session key seed is not base64url", "base64url of 32 bytes");
  if (!bytes || bytes->size() != 32) {
    if (bytes) wipe(bytes->data(), bytes->size());
    return fail("invalid_seed_length", {}, "the session key seed has the wrong length", "base64url of 32 bytes");
  }
  SecretBytes<32> seed;
  std::copy(bytes->begin(), bytes->end(), seed.data());
  wipe(bytes->data(), bytes->size());
  return from_raw(seed);
}

SessionKey SessionKey::from_raw(const SecretBytes<32> &seed) {
  ensure_sodium();
  SessionKey key;
  key.seed_ = seed.clone();
  PublicKeyBytes public_bytes{};
  crypto_sign_seed_keypair(public_bytes.data(), key.expanded_.data(), seed.data());
  key.text_ = base64url(public_bytes);
  key.inbox_prefix_ = trellis::inbox_prefix(key.text_);
  return key;
}

SecretText SessionKey::seed_text() const {
  return SecretText(base64url(seed_.reveal()));
}

SessionKey SessionKey::clone() const {
  SessionKey copy;
  copy.seed_ = seed_.clone();
  copy.expanded_ = expanded_.clone();
  copy.text_ = text_;
  copy.inbox_prefix_ = inbox_prefix_;
  return copy;
}

std::string SessionKey::sign_digest(const Sha256 &digest) const {
  SignatureBytes signature{};
  crypto_sign_detached(signature.data(), nullptr, digest.data(), digest.size(), expanded_.data());
  return base64url(signature);
}

std::string SessionKey::sign_domain(std::string_view domain, std::string_view value) const {
  return sign_digest(domain_digest(domain, value));
}

std::string_view key16(std::string_view session_key) {
  return session_key.substr(0, 16);
}

std::string inbox_prefix(std::string_view session_key) {
  return std::string("_INBOX.").append(key16(session_key));
}

std::string operations_bucket(std::string_view session_key) {
  return std::string("trellis_operations_").append(key16(session_key));
}

bool is_session_key_text(std::string_view text) {
  return is_base64url_of(text, 43);
}

bool is_signature_text(std::string_view text) {
  return is_base64url_of(text, 86);
}

bool verify_digest(std::string_view key, const Sha256 &digest, std::string_view signature) {
  PublicKeyBytes key_bytes;
  SignatureBytes signature_bytes;
  if (!decode_exact(key, key_bytes) || !decode_exact(signature, signature_bytes)) return false;
  return verify_signature(key_bytes, digest, signature_bytes);
}

bool verify_domain(std::string_view key, std::string_view domain, std::string_view value, std::string_view signature) {
  return verify_digest(key, domain_digest(domain, value), signature);
}

std::string service_instance_id(std::string_view session_key) {
  return "svc_" + first22_of_hash(session_key);
}

std::string device_instance_id(std::string_view session_key) {
  return "dev_" + first22_of_hash(session_key);
}

std::string service_trellis_id(std::string_view session_key) {
  return first22_of_hash(std::string("service:").append(session_key));
}

} // namespace trellis
