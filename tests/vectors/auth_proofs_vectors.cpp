// auth-proofs.json (vectors README §3.3; 03 §1, §6.3, §9.1, §11).
#include "contracts/canonical.h"
#include "wire/connect_token.h"
#include "wire/device.h"
#include "wire/login_proofs.h"
#include "wire/presence.h"
#include "wire/proof.h"
#include "wire/redirect.h"
#include "wire_vectors.h"
#include <algorithm>

namespace trellis::vectors {
namespace {

std::int64_t whole_seconds(double iat) {
  return static_cast<std::int64_t>(iat);
}

JsonDocument session_key(const Input &input, const CaseContext &) {
  Output out;
  const auto key = SessionKey::from_seed(input.text("seed"));
  if (!key) return out.text("error", key.error().code).take();
  return out.text("sessionKey", key->text())
      .text("inboxPrefix", key->inbox_prefix())
      .text("operationsBucket", operations_bucket(key->text()))
      .take();
}

// A token with its members in another order must be accepted too.
void require_accepted(const std::string &token, double now) {
  const auto checked = check_connect_token(token, whole_seconds(now));
  if (!checked) throw std::runtime_error("the token is denied: " + checked.error());
}

JsonDocument nats_connect(const Input &input, const CaseContext &) {
  const SessionKey key = session_key_of(input);
  const double iat = input.number("iat");
  const std::string digest = input.text("contractDigest");
  const std::string token = make_connect_token(key, whole_seconds(iat), digest);
  const std::string sorted = required(canonical_json(required_json(token)));
  require_accepted(token, iat);
  require_accepted(sorted, iat);
  Output out;
  add_domain_signature(out, key, domain::kNatsConnect, nats_connect_value(iat, digest));
  return out.text("tokenTypescriptOrder", token).text("tokenAlphabeticalOrder", sorted).take();
}

JsonDocument token_shape(const Input &input, const CaseContext &) {
  const auto *text = input.find("authToken");
  const auto token = parse_connect_token(text ? text_of(*text) : std::string_view());
  Output out;
  out.flag("accepted", token.has_value());
  if (!token) out.text("denial", token.error());
  return out.take();
}

JsonDocument iat_window(const Input &input, const CaseContext &) {
  const bool fresh = is_fresh(whole_seconds(input.number("serverNow")), input.number("iat"));
  return Output().flag("fresh", fresh).take();
}

JsonDocument oauth_init(const Input &input, const CaseContext &) {
  const std::string redirect_to = input.text("redirectTo");
  const std::string provider = input.text_or("provider", "");
  const std::string digest = input.text_or("contractDigest", "");
  const OauthInit request{redirect_to, provider, input.find("contract"), digest, input.find("context")};
  Output out;
  add_domain_signature(out, session_key_of(input), domain::kOauthInit, required(oauth_init_value(request)));
  return out.take();
}

JsonDocument redirect_normalization(const Input &input, const CaseContext &) {
  std::vector<std::string> origins;
  for (const auto &origin : input.at("allowedOrigins").GetArray())
    origins.emplace_back(text_of(origin));
  const auto &value = input.at("redirectTo");
  const auto redirect = validate_redirect(text_of(value), origins);
  Output out;
  out.flag("accepted", redirect.has_value());
  if (redirect) out.text("redirectToUsedInSignature", *redirect);
  return out.take();
}

JsonDocument bind_flow(const Input &input, const CaseContext &) {
  Output out;
  add_domain_signature(out, session_key_of(input), domain::kBindFlow, input.text("flowId"));
  return out.take();
}

JsonDocument bootstrap_client(const Input &input, const CaseContext &) {
  Output out;
  add_domain_signature(out, session_key_of(input), domain::kBootstrapClient,
                       bootstrap_client_value(input.number("iat")));
  return out.take();
}

std::optional<bool> optional_flag(const Input &input, std::string_view name) {
  return input.find(name) ? std::optional(input.flag(name)) : std::nullopt;
}

std::optional<std::string> optional_text(const Input &input, std::string_view name) {
  return input.find(name) ? std::optional(input.text(name)) : std::nullopt;
}

JsonDocument logout_session(const Input &input, const CaseContext &) {
  const LogoutRequest request{input.number("iat"), optional_flag(input, "providerLogout"),
                              optional_flag(input, "federatedProviderLogout"), optional_text(input, "returnTo"),
                              optional_text(input, "responseMode")};
  const std::string payload = logout_session_value(request);
  Output out;
  out.text("canonicalPayload", payload);
  add_domain_signature(out, session_key_of(input), domain::kLogoutSession, payload);
  return out.take();
}

JsonDocument domain_verify(const Input &input, const CaseContext &) {
  const bool valid =
      verify_domain(input.text("sessionKey"), input.text("prefix"), input.text("value"), input.text("sig"));
  return Output().flag("valid", valid).take();
}

JsonDocument rpc_proof(const Input &input, const CaseContext &) {
  const SessionKey key = session_key_of(input);
  const std::string subject = input.text("subject");
  const std::string request_id = input.text("requestId");
  const std::int64_t iat = whole_seconds(input.number("iat"));
  const bool as_hex = input.find("payloadHex") != nullptr;
  const Bytes payload = as_hex ? required_bytes(hex_decode(input.text("payloadHex"))) : Bytes();
  const Sha256 hash = as_hex ? sha256(payload) : sha256(as_bytes(input.text("payloadUtf8")));
  const Bytes proof_input = request_proof_input(key.text(), subject, hash, iat, request_id);
  const Sha256 digest = request_proof_digest(key.text(), subject, hash, iat, request_id);
  if (digest != sha256(proof_input)) throw std::runtime_error("the incremental digest differs from the input's");
  return Output()
      .text("sessionKey", key.text())
      .text("payloadHash", base64url(hash))
      .text("proofInputHex", hex(proof_input))
      .number("proofInputLength", static_cast<double>(proof_input.size()))
      .text("digestHex", hex(digest))
      .text("proof", make_request_proof(key, subject, hash, iat, request_id))
      .take();
}

JsonDocument rpc_proof_verify(const Input &input, const CaseContext &) {
  const std::string key = input.text("sessionKey");
  const std::string subject = input.text("subject");
  const std::string request_id = input.text("requestId");
  const std::string proof = input.text("proof");
  const double iat = input.number("iat");
  const auto hash_bytes = base64url_decode(input.text("payloadHash"));
  Sha256 hash{};
  bool valid = hash_bytes && hash_bytes->size() == hash.size() && static_cast<double>(whole_seconds(iat)) == iat;
  if (valid) {
    std::copy(hash_bytes->begin(), hash_bytes->end(), hash.begin());
    valid = verify_request_proof(key, subject, hash, whole_seconds(iat), request_id, proof);
  }
  return Output().flag("valid", valid).take();
}

JsonDocument device_derivation(const Input &input, const CaseContext &) {
  const DeviceKeys keys = required(derive_device_keys(required_bytes(base64url_decode(input.text("rootSecret")))));
  const std::string nonce = input.text("nonce");
  const std::string &public_key = keys.identity.text();
  const ByteView activation_key = keys.activation_key.reveal();
  ActivationPayload payload{public_key, nonce, required(device_qr_mac(activation_key, public_key, nonce)), {}};
  return Output()
      .text("identitySeed", base64url(keys.identity_seed.reveal()))
      .text("publicIdentityKey", public_key)
      .text("activationKey", base64url(activation_key))
      .text("qrMac", payload.qr_mac)
      .text("encodedPayload", encode_activation_payload(payload))
      .text("confirmationCode", required(device_confirmation_code(activation_key, public_key, nonce)))
      .text("instanceId", device_instance_id(public_key))
      .take();
}

JsonDocument device_proof(const Input &input, const CaseContext &context) {
  const std::string flow_id = input.text_or("flowId", kConnectInfo);
  const std::string nonce = input.text_or("nonce", kConnectInfo);
  const std::string public_key = input.text("publicIdentityKey");
  const std::string digest = input.text("contractDigest");
  const DeviceProofParts parts{flow_id, public_key, nonce, input.number("iat"), digest};
  const Bytes proof_input = device_proof_input(parts);
  Output out;
  out.text("proofInputHex", hex(proof_input));
  if (expects(context, "digestHex")) out.text("digestHex", hex(sha256(proof_input)));
  return out.text("sig", make_device_proof(session_key_of(input, "identitySeed"), parts)).take();
}

JsonDocument confirmation_verify(const Input &input, const CaseContext &) {
  const Bytes activation_key = required_bytes(base64url_decode(input.text("activationKey")));
  const bool valid = verify_confirmation_code(activation_key, input.text("publicIdentityKey"), input.text("nonce"),
                                              input.text("confirmationCode"));
  return Output().flag("valid", valid).take();
}

JsonDocument principal_ids(const Input &input, const CaseContext &) {
  const std::string key = input.text("sessionKey");
  return Output()
      .text("serviceTrellisId", service_trellis_id(key))
      .text("serviceInstanceId", service_instance_id(key))
      .text("deviceInstanceId", device_instance_id(key))
      .take();
}

JsonDocument connection_key(const Input &input, const CaseContext &) {
  const ConnectionKey key{input.text("sessionKey"), input.text("scopeId"), input.text("userNkey")};
  return Output().text("key", format_connection_key(key)).take();
}

JsonDocument connection_key_parse(const Input &input, const CaseContext &) {
  const auto key = parse_connection_key(input.text("key"));
  if (!key) return Output().json("parsed", JsonValue()).take();
  const JsonDocument parsed = Output()
                                  .text("sessionKey", key->session_key)
                                  .text("scopeId", key->scope_id)
                                  .text("userNkey", key->user_nkey)
                                  .take();
  return Output().json("parsed", parsed).take();
}

JsonDocument hash_key(const Input &input, const CaseContext &) {
  return Output().text("hash", opaque_token_hash(input.text("value"))).take();
}

} // namespace

void register_auth_proofs(Registry &registry) {
  registry["auth-proofs"] = {
      {"session-key", {session_key}},
      {"nats-connect", {nats_connect}},
      {"nats-connect-token-shape", {token_shape}},
      {"iat-window", {iat_window}},
      {"oauth-init", {oauth_init}},
      {"oauth-init-redirect-normalization", {redirect_normalization}},
      {"bind-flow", {bind_flow}},
      {"bootstrap-client", {bootstrap_client}},
      {"logout-session", {logout_session}},
      {"domain-verify", {domain_verify}},
      {"rpc-proof", {rpc_proof}},
      {"rpc-proof-verify", {rpc_proof_verify}},
      {"device-derivation", {device_derivation}},
      {"device-wait", {device_proof}},
      {"device-connect-info", {device_proof}},
      {"device-confirmation-verify", {confirmation_verify}},
      {"principal-ids", {principal_ids}},
      {"connection-key", {connection_key}},
      {"connection-key-parse", {connection_key_parse}},
      {"hash-key", {hash_key}},
  };
  // A transfer frame is signed like any request (07 B4); the file's other kinds need a service, a client or a store.
  registry["transfer-wire"]["proof"] = {rpc_proof, {.only_listed = true}};
  for (const char *kind : {"upload-server", "download-server", "send-client"})
    registry["transfer-wire"].try_emplace(kind);
}

} // namespace trellis::vectors
