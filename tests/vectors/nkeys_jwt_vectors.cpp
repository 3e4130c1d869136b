// nkeys-jwt.json (vectors README §3.3; 03 §3, §4, §5).
#include "wire/credentials.h"
#include "wire/jwt.h"
#include "wire/nkeys.h"
#include "wire/xkey.h"
#include "wire_vectors.h"
#include <algorithm>

namespace trellis::vectors {
namespace {

NkeyType nkey_type(std::string_view name) {
  if (name == "operator") return NkeyType::operator_;
  if (name == "account") return NkeyType::account;
  if (name == "user") return NkeyType::user;
  if (name == "server") return NkeyType::server;
  if (name == "cluster") return NkeyType::cluster;
  if (name == "curve") return NkeyType::curve;
  if (name == "private") return NkeyType::private_;
  throw std::runtime_error("unknown nkey type: " + std::string(name));
}

template <std::size_t N>
std::array<std::uint8_t, N> exactly(const Bytes &bytes) {
  std::array<std::uint8_t, N> out{};
  if (bytes.size() != N) throw std::runtime_error("an input of another length than " + std::to_string(N));
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Bytes bytes_of(const Input &input, std::string_view name) {
  return required_bytes(hex_decode(input.text(name)));
}

NkeySeed seed_of(const Input &input, std::string_view name) {
  return required(NkeySeed::parse(input.text(name)));
}

JsonDocument from_seed(const Input &input, const CaseContext &) {
  const SecretBytes<32> raw(exactly<32>(bytes_of(input, "rawSeedHex")));
  const NkeySeed seed = NkeySeed::from_raw(nkey_type(input.text("type")), raw);
  return Output()
      .text("seed", seed.text().reveal())
      .text("publicKey", seed.public_text())
      .text("rawPublicKeyHex", hex(seed.public_bytes()))
      .number("prefixByte", static_cast<double>(seed.type()))
      .take();
}

JsonDocument decode_public(const Input &input, const CaseContext &) {
  const auto key = decode_nkey(input.text("text"));
  Output out;
  out.flag("ok", key.has_value());
  if (key) out.text("publicKey", encode_nkey(*key));
  return out.take();
}

JsonDocument decode_seed(const Input &input, const CaseContext &) {
  const auto seed = NkeySeed::parse(input.text("text"));
  Output out;
  out.flag("ok", seed.has_value());
  if (!seed) return out.take();
  return out.text("rawSeedHex", hex(seed->raw().reveal()))
      .number("prefixByte", static_cast<double>(seed->type()))
      .take();
}

JsonDocument nonce_signature(const Input &input, const CaseContext &) {
  const auto signature = seed_of(input, "seed").sign(as_bytes(input.text("nonce")));
  return Output()
      .text("signatureHex", hex(signature))
      .text("connectSigBase64url", base64url(signature))
      .text("connectSigBase64", base64_padded(signature))
      .take();
}

// `base` with the members of `more`, as an object spread puts them together.
void spread(JsonDocument &base, const JsonValue &more) {
  auto &allocator = base.GetAllocator();
  for (const auto &member : more.GetObject()) {
    if (base.HasMember(member.name)) {
      base[member.name].CopyFrom(member.value, allocator);
      continue;
    }
    base.AddMember(JsonValue(member.name, allocator), JsonValue(member.value, allocator), allocator);
  }
}

std::string nats_claims(const Input &input, const char *defaults, std::string_view members, std::string_view type) {
  JsonDocument nats = required_json(defaults);
  if (const auto *given = input.find(members)) spread(nats, *given);
  spread(nats, Output().text("type", type).number("version", 2).take());
  nats["version"].SetInt(2); // an integer's text, not 2.0
  return to_json(nats);
}

JwtClaims common_claims(const Input &input) {
  JwtClaims claims;
  claims.issued_at = static_cast<std::int64_t>(input.number("iat"));
  if (input.find("exp")) claims.expires_at = static_cast<std::int64_t>(input.number("exp"));
  if (input.find("nbf")) claims.not_before = static_cast<std::int64_t>(input.number("nbf"));
  claims.name = input.text_or("name", "");
  claims.audience = input.text_or("aud", input.text_or("serverNkey", kDefaultAudience));
  return claims;
}

std::string chunk_text(std::string_view token, int index) {
  for (int i = 0; i < index; ++i)
    token.remove_prefix(token.find('.') + 1);
  return std::string(token.substr(0, token.find('.')));
}

std::string decoded_chunk(std::string_view token, int index) {
  return std::string(as_text(required_bytes(base64url_decode(chunk_text(token, index)))));
}

JsonDocument issued(const JwtClaims &claims, const NkeySeed &issuer) {
  const std::string token = sign_jwt(claims, issuer);
  const DecodedJwt decoded = required(decode_jwt(token));
  return Output()
      .text("token", token)
      .text("headerJson", decoded_chunk(token, 0))
      .text("claimsJson", decoded_chunk(token, 1))
      .text("jti", string_member(decoded.claims, "jti"))
      .text("signatureBase64url", chunk_text(token, 2))
      .take();
}

JsonDocument user_jwt(const Input &input, const CaseContext &) {
  JwtClaims claims = common_claims(input);
  claims.subject = input.text("userNkey");
  claims.nats = nats_claims(input, R"({"data":-1,"payload":-1,"subs":-1})", "claims", "user");
  return issued(claims, seed_of(input, "signingSeed"));
}

JsonDocument authorization_response(const Input &input, const CaseContext &) {
  JwtClaims claims = common_claims(input);
  claims.subject = input.text("userNkey");
  claims.nats = nats_claims(input, "{}", "nats", "authorization_response");
  return issued(claims, seed_of(input, "signingSeed"));
}

JsonDocument account_jwt(const Input &input, const CaseContext &) {
  JwtClaims claims = common_claims(input);
  claims.subject = seed_of(input, "accountSeed").public_text();
  claims.nats = nats_claims(input, "{}", "nats", "account");
  return issued(claims, seed_of(input, "operatorSeed"));
}

JsonDocument operator_jwt(const Input &input, const CaseContext &) {
  JwtClaims claims = common_claims(input);
  const NkeySeed seed = seed_of(input, "operatorSeed");
  claims.subject = seed.public_text();
  claims.nats = nats_claims(input, "{}", "nats", "operator");
  return issued(claims, seed);
}

JsonDocument jwt_verify(const Input &input, const CaseContext &) {
  return Output().flag("valid", decode_jwt(input.text("token")).has_value()).take();
}

JsonDocument creds_file(const Input &input, const CaseContext &) {
  const auto credentials = parse_credentials(input.text("text"));
  if (!credentials) return Output().take();
  return Output().text("jwt", credentials->jwt).text("seed", credentials->seed.text().reveal()).take();
}

JsonDocument seal(const Input &input, const CaseContext &context) {
  const NkeySeed sender = seed_of(input, "senderSeed");
  const std::string recipient = input.text("recipientPublic");
  const Bytes plaintext = bytes_of(input, "plaintextHex");
  const XkeyNonce nonce = exactly<24>(bytes_of(input, "nonceHex"));
  const Bytes sealed = required(xkey_seal(sender, recipient, plaintext, nonce));
  // The shared key is symmetric: what the recipient's seed opens with the sender's public key, the sender's seed opens
  // with the recipient's.
  const auto opened = xkey_open(sender, recipient, sealed);
  const bool opens = opened && *opened == plaintext;
  Output out;
  out.text("senderPublic", sender.public_text())
      .text("sealedHex", hex(sealed))
      .number("sealedLength", static_cast<double>(sealed.size()));
  for (const char *name : {"opensForRecipient", "sameSharedKeyOpensWithSenderSeed"})
    if (expects(context, name)) out.flag(name, opens);
  return out.take();
}

JsonDocument open(const Input &input, const CaseContext &) {
  const auto plaintext =
      xkey_open(seed_of(input, "recipientSeed"), input.text("senderPublic"), bytes_of(input, "sealedHex"));
  Output out;
  out.flag("ok", plaintext.has_value());
  if (plaintext) out.text("plaintextHex", hex(*plaintext));
  return out.take();
}

} // namespace

void register_nkeys_jwt(Registry &registry) {
  const Comparison any_error{.ignored = {"error"}}; // descriptive only
  registry["nkeys-jwt"] = {
      {"nkey-from-seed", {from_seed}},
      {"nkey-decode-public", {decode_public, any_error}},
      {"nkey-decode-seed", {decode_seed, any_error}},
      {"nonce-signature", {nonce_signature}},
      {"user-jwt", {user_jwt}},
      {"authorization-response", {authorization_response}},
      {"account-jwt", {account_jwt}},
      {"operator-jwt", {operator_jwt}},
      {"jwt-verify", {jwt_verify}},
      {"creds-file", {creds_file, any_error}},
      {"xkey-seal", {seal}},
      {"xkey-open", {open}},
  };
}

} // namespace trellis::vectors
