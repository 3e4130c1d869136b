#include "wire/device.h"

#include "contracts/canonical.h"
#include "contracts/json.h"
#include "contracts/json_text.h"
#include "wire/sodium_ready.h"
#include <algorithm>
#include <array>
#include <rapidjson/document.h>
#include <sodium.h>

namespace trellis {
namespace {

constexpr std::string_view kIdentityInfo = "trellis/device-identity/v1";
constexpr std::string_view kActivationInfo = "trellis/device-activate/v1";
constexpr std::string_view kQrDomain = "trellis-device-qr/v1";
constexpr std::string_view kConfirmationDomain = "trellis-device-confirm/v1";
constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

using HmacSha256 = std::array<std::uint8_t, crypto_auth_hmacsha256_BYTES>;

HmacSha256 hmac(ByteView key, std::initializer_list<std::string_view> parts) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  for (const auto part : parts)
    crypto_auth_hmacsha256_update(&state, as_bytes(part).data(), part.size());
  HmacSha256 out;
  crypto_auth_hmacsha256_final(&state, out.data());
  wipe(&state, sizeof state);
  return out;
}

// HKDF-SHA256 with an empty salt, which is the same as one of 32 zeros, and 32 bytes of output: one round of expansion.
SecretBytes<32> hkdf(ByteView secret, std::string_view info) {
  constexpr HmacSha256 kEmptySalt{};
  HmacSha256 extracted = hmac(kEmptySalt, {as_text(secret)});
  HmacSha256 expanded = hmac(extracted, {info, std::string_view("\x01", 1)});
  SecretBytes<32> out(expanded);
  wipe(extracted.data(), extracted.size());
  wipe(expanded.data(), expanded.size());
  return out;
}

tl::unexpected<Error> empty_secret() {
  return fail("empty_secret", {}, "the activation key is empty", "the 32 bytes given at provisioning");
}

std::string crockford(ByteView bytes) {
  std::string out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const std::uint8_t b : bytes) {
    bits = (bits << 8 | b) & 0xFFFU;
    for (count += 8; count >= 5; count -= 5)
      out += kCrockford[(bits >> (count - 5)) & 31U];
  }
  return out;
}

// Length of the white space that starts at `at`, as ECMAScript's trim counts it; 0 when there is none.
std::size_t space_at(std::string_view text, std::size_t at) {
  const auto rest = text.substr(at);
  if (std::string_view(" \t\n\r\v\f").find(rest[0]) != std::string_view::npos) return 1;
  if (rest.starts_with("\xC2\xA0")) return 2;
  for (const std::string_view space :
       {"\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"})
    if (rest.starts_with(space)) return 3;
  const bool en_quad_to_hair_space = rest.starts_with("\xE2\x80") && rest.size() > 2 &&
                                     static_cast<std::uint8_t>(rest[2]) >= 0x80 &&
                                     static_cast<std::uint8_t>(rest[2]) <= 0x8A;
  return en_quad_to_hair_space ? 3 : 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = space_at(text, 0);
    if (size == 0) break;
    text.remove_prefix(size);
  }
  std::size_t end = 0; // behind the last character that is no white space
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = space_at(text, at);
    at += size > 0 ? size : 1;
    if (size == 0) end = at;
  }
  return text.substr(0, end);
}

char without_look_alikes(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'O') return '0';
  if (c == 'I' || c == 'L') return '1';
  return c;
}

tl::unexpected<Error> invalid_payload(std::string message) {
  return fail("invalid_payload", {}, std::move(message), "base64url of {\"v\":1,publicIdentityKey,nonce,qrMac}");
}

bool is_version_1(const JsonValue &payload) {
  const auto *version = find_member(payload, "v");
  return version && version->IsNumber() && version->GetDouble() == 1;
}

void append_part(Bytes &input, std::string_view part) {
  const auto size = static_cast<std::uint32_t>(part.size());
  for (const int shift : {24, 16, 8, 0})
    input.push_back(static_cast<std::uint8_t>(size >> shift));
  input.insert(input.end(), part.begin(), part.end());
}

} // namespace

Result<DeviceKeys> derive_device_keys(ByteView root_secret) {
  if (root_secret.size() != 32)
    return fail("invalid_root_secret_length", {}, "a root secret of " + std::to_string(root_secret.size()) + " bytes",
                "32 bytes");
  ensure_sodium();
  SecretBytes<32> identity_seed = hkdf(root_secret, kIdentityInfo);
  SessionKey identity = SessionKey::from_raw(identity_seed);
  return DeviceKeys{std::move(identity_seed), std::move(identity), hkdf(root_secret, kActivationInfo)};
}

Result<std::string> device_qr_mac(ByteView activation_key, std::string_view public_identity_key,
                                  std::string_view nonce) {
  if (activation_key.empty()) return empty_secret();
  const HmacSha256 mac = hmac(activation_key, {kQrDomain, public_identity_key, nonce});
  return base64url(ByteView(mac).first(8));
}

Result<std::string> device_confirmation_code(ByteView activation_key, std::string_view public_identity_key,
                                             std::string_view nonce) {
  if (activation_key.empty()) return empty_secret();
  const HmacSha256 mac = hmac(activation_key, {kConfirmationDomain, public_identity_key, nonce});
  return crockford(ByteView(mac).first(5));
}

bool verify_confirmation_code(ByteView activation_key, std::string_view public_identity_key, std::string_view nonce,
                              std::string_view code) {
  const auto expected = device_confirmation_code(activation_key, public_identity_key, nonce);
  if (!expected) return false;
  std::string given(trimmed(code));
  std::transform(given.begin(), given.end(), given.begin(), without_look_alikes);
  return secret_equal(as_bytes(*expected), as_bytes(given));
}

bool verify_qr_mac(ByteView activation_key, std::string_view public_identity_key, std::string_view nonce,
                   std::string_view qr_mac) {
  const auto expected = device_qr_mac(activation_key, public_identity_key, nonce);
  return expected && secret_equal(as_bytes(*expected), as_bytes(qr_mac));
}

std::string activation_payload_json(const ActivationPayload &payload) {
  std::string out = "{";
  append_json_raw_member(out, "v", "1");
  append_json_member(out, "publicIdentityKey", payload.public_identity_key);
  append_json_member(out, "nonce", payload.nonce);
  append_json_member(out, "qrMac", payload.qr_mac);
  return out + "}";
}

std::string encode_activation_payload(const ActivationPayload &payload) {
  return base64url(as_bytes(activation_payload_json(payload)));
}

Result<ActivationPayload> decode_activation_payload(std::string_view text) {
  const auto bytes = base64url_decode(text);
  if (!bytes) return invalid_payload("the activation payload is not base64url");
  const auto json = parse_json(as_text(*bytes), {.max_bytes = 4096, .max_depth = 16});
  if (!json || !json->IsObject()) return invalid_payload("the activation payload is not a JSON object");
  if (!is_version_1(*json)) return invalid_payload("an activation payload of an unknown version");
  ActivationPayload payload;
  payload.public_identity_key = string_member(*json, "publicIdentityKey");
  payload.nonce = string_member(*json, "nonce");
  payload.qr_mac = string_member(*json, "qrMac");
  payload.json = as_text(*bytes);
  if (payload.public_identity_key.empty() || payload.nonce.empty() || payload.qr_mac.empty())
    return invalid_payload("the activation payload lacks a member");
  return payload;
}

Bytes device_proof_input(const DeviceProofParts &parts) {
  Bytes input;
  const std::string iat = ecmascript_number(parts.iat);
  for (const std::string_view part :
       {parts.flow_id, parts.public_identity_key, parts.nonce, std::string_view(iat), parts.contract_digest})
    append_part(input, part);
  return input;
}

std::string make_device_proof(const SessionKey &identity, const DeviceProofParts &parts) {
  return identity.sign_digest(sha256(device_proof_input(parts)));
}

bool verify_device_proof(const DeviceProofParts &parts, std::string_view signature) {
  return verify_digest(parts.public_identity_key, sha256(device_proof_input(parts)), signature);
}

} // namespace trellis
