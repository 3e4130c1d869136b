// Devices: the keys that a root secret gives, the codes a person compares, the proofs of the activation routes
// (03 §11.4, §11.5; 04 §15).
//
// The identity key is an ordinary session key, so that everything a device does on NATS goes through
// wire/session_key.h. `iat` is a double because bodies may carry any JSON number, which is signed as its shortest
// decimal text (03 §11.1).
#pragma once

#include "wire/secret.h"
#include "wire/session_key.h"
#include <string>
#include <string_view>

namespace trellis {

struct DeviceKeys {
  SecretBytes<32> identity_seed;
  SessionKey identity;
  SecretBytes<32> activation_key; // shared with the control plane at provisioning
};
// `root_secret`: 32 bytes, else error "invalid_root_secret_length".
Result<DeviceKeys> derive_device_keys(ByteView root_secret);

// base64url of 8 bytes, and 8 characters. Error "empty_secret" when `activation_key` is empty.
Result<std::string> device_qr_mac(ByteView activation_key, std::string_view public_identity_key,
                                  std::string_view nonce);
Result<std::string> device_confirmation_code(ByteView activation_key, std::string_view public_identity_key,
                                             std::string_view nonce);
// `code` as a person typed it: surrounding white space, case and the look-alikes O, I, L don't matter; hyphens do.
bool verify_confirmation_code(ByteView activation_key, std::string_view public_identity_key, std::string_view nonce,
                              std::string_view code);
// Compares in constant time.
bool verify_qr_mac(ByteView activation_key, std::string_view public_identity_key, std::string_view nonce,
                   std::string_view qr_mac);

// What a QR code carries.
struct ActivationPayload {
  std::string public_identity_key;
  std::string nonce;
  std::string qr_mac;
  std::string json; // filled by decoding: the whole text, with members that we don't know
};
std::string activation_payload_json(const ActivationPayload &payload);
std::string encode_activation_payload(const ActivationPayload &payload);
// Error "invalid_payload": not base64 of a JSON object with v = 1 and the three non-empty strings.
Result<ActivationPayload> decode_activation_payload(std::string_view text);

// For the connect-info route and RPC both `flow_id` and `nonce` are this text.
inline constexpr char kConnectInfo[] = "connect-info";

struct DeviceProofParts {
  std::string_view flow_id;
  std::string_view public_identity_key;
  std::string_view nonce;
  double iat = 0;
  std::string_view contract_digest;
};
Bytes device_proof_input(const DeviceProofParts &parts);
std::string make_device_proof(const SessionKey &identity, const DeviceProofParts &parts);
// False on a malformed key or signature.
bool verify_device_proof(const DeviceProofParts &parts, std::string_view signature);

} // namespace trellis
