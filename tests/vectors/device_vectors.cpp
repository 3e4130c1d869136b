// device-activation.json (vectors README §3.3; 04 §15, 03 §11.4, §11.5).
#include "wire/connect_token.h"
#include "wire/device.h"
#include "wire_vectors.h"

namespace trellis::vectors {
namespace {

std::int64_t whole_seconds(double iat) {
  return static_cast<std::int64_t>(iat);
}

void add_keys(Output &out, const DeviceKeys &keys) {
  out.text("identitySeedHex", hex(keys.identity_seed.reveal()))
      .text("identitySeedBase64url", base64url(keys.identity_seed.reveal()))
      .text("publicIdentityKey", keys.identity.text())
      .text("activationKeyHex", hex(keys.activation_key.reveal()))
      .text("activationKeyBase64url", base64url(keys.activation_key.reveal()))
      .text("instanceId", device_instance_id(keys.identity.text()));
}

// The bodies of the two signed requests; that of connect-info carries neither flow id nor nonce.
JsonDocument connect_info_request(const SessionKey &identity, const DeviceProofParts &parts) {
  return Output()
      .text("publicIdentityKey", parts.public_identity_key)
      .text("contractDigest", parts.contract_digest)
      .number("iat", parts.iat)
      .text("sig", make_device_proof(identity, parts))
      .take();
}

JsonDocument wait_request(const SessionKey &identity, const DeviceProofParts &parts) {
  return Output()
      .text("flowId", parts.flow_id)
      .text("publicIdentityKey", parts.public_identity_key)
      .text("nonce", parts.nonce)
      .text("contractDigest", parts.contract_digest)
      .number("iat", parts.iat)
      .text("sig", make_device_proof(identity, parts))
      .take();
}

JsonDocument full(const Input &input, const CaseContext &) {
  const Bytes root = required_bytes(hex_decode(input.text("rootSecretHex")));
  if (root != required_bytes(base64url_decode(input.text("rootSecretBase64url"))))
    throw std::runtime_error("two different root secrets");
  const DeviceKeys keys = required(derive_device_keys(root));
  const ByteView activation_key = keys.activation_key.reveal();
  const std::string &public_key = keys.identity.text();
  const std::string nonce = input.text("nonce");
  const std::string flow_id = input.text("flowId");
  const std::string digest = input.text("contractDigest");
  const double iat = input.number("iat");

  const ActivationPayload payload{public_key, nonce, required(device_qr_mac(activation_key, public_key, nonce)), {}};
  const DeviceProofParts wait{flow_id, public_key, nonce, iat, digest};
  const DeviceProofParts connect_info{kConnectInfo, public_key, kConnectInfo, iat, digest};
  Output out;
  add_keys(out, keys);
  return out.text("qrMac", payload.qr_mac)
      .json("payload", required_json(activation_payload_json(payload)))
      .text("payloadJson", activation_payload_json(payload))
      .text("payloadBase64url", encode_activation_payload(payload))
      .text("confirmationCode", required(device_confirmation_code(activation_key, public_key, nonce)))
      .text("waitProofInputHex", hex(device_proof_input(wait)))
      .text("waitProofDigestHex", hex(sha256(device_proof_input(wait))))
      .json("waitRequest", wait_request(keys.identity, wait))
      .json("connectInfoRequest", connect_info_request(keys.identity, connect_info))
      .json("natsAuthToken", required_json(make_connect_token(keys.identity, whole_seconds(iat), digest)))
      .take();
}

JsonDocument derive_identity(const Input &input, const CaseContext &) {
  const auto keys = derive_device_keys(required_bytes(hex_decode(input.text("rootSecretHex"))));
  Output out;
  if (!keys) return out.text("error", keys.error().code).take();
  add_keys(out, *keys);
  return out.take();
}

JsonDocument mac(const Input &input, const CaseContext &) {
  const Bytes activation_key = required_bytes(base64url_decode(input.text("activationKeyBase64url")));
  const std::string public_key = input.text("publicIdentityKey");
  const std::string nonce = input.text("nonce");
  const auto qr_mac = device_qr_mac(activation_key, public_key, nonce);
  const auto code = device_confirmation_code(activation_key, public_key, nonce);
  if (!qr_mac) return Output().text("error", qr_mac.error().code).take();
  return Output().text("qrMac", *qr_mac).text("confirmationCode", required(code)).take();
}

JsonDocument verify_code(const Input &input, const CaseContext &) {
  const Bytes activation_key = required_bytes(base64url_decode(input.text("activationKeyBase64url")));
  const bool valid = verify_confirmation_code(activation_key, input.text("publicIdentityKey"), input.text("nonce"),
                                              input.text("confirmationCode"));
  return Output().flag("valid", valid).take();
}

JsonDocument parse_payload(const Input &input, const CaseContext &) {
  const auto payload = decode_activation_payload(input.text("value"));
  if (!payload) return Output().text("error", payload.error().code).take();
  return Output().json("payload", required_json(payload->json)).take();
}

JsonDocument instance_ids(const Input &input, const CaseContext &) {
  const std::string key = input.text("key");
  return Output()
      .text("deviceInstanceId", device_instance_id(key))
      .text("serviceInstanceId", service_instance_id(key))
      .take();
}

JsonDocument verify_wait_signature(const Input &input, const CaseContext &) {
  const Input request(input.at("request"));
  const std::string flow_id = request.text("flowId");
  const std::string public_key = request.text("publicIdentityKey");
  const std::string nonce = request.text("nonce");
  const std::string digest = request.text("contractDigest");
  const DeviceProofParts parts{flow_id, public_key, nonce, request.number("iat"), digest};
  const bool valid = verify_device_proof(parts, request.text("sig"));
  if (!request.unread().empty()) throw std::runtime_error("/input/request: an unknown member");
  return Output().flag("valid", valid).take();
}

} // namespace

void register_device_activation(Registry &registry) {
  registry["device-activation"] = {
      {"full", {full}},
      {"deriveIdentity", {derive_identity}},
      {"mac", {mac}},
      {"verifyConfirmationCode", {verify_code}},
      {"parsePayload", {parse_payload}},
      {"instanceIds", {instance_ids}},
      {"verifyWaitSignature", {verify_wait_signature}},
  };
}

} // namespace trellis::vectors
