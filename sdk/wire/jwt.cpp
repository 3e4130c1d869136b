#include "wire/jwt.h"

#include "contracts/json_text.h"
#include <array>
#include <cmath>
#include <rapidjson/document.h>
#include <sodium.h>

namespace trellis {
namespace {

constexpr std::string_view kHeader = R"({"typ":"JWT","alg":"ed25519-nkey"})";

std::string jti_of(std::string_view claims) {
  std::array<std::uint8_t, crypto_hash_sha512_BYTES> hash{};
  crypto_hash_sha512(hash.data(), as_bytes(claims).data(), claims.size());
  return base64_padded(hash);
}

std::string claims_text(const JwtClaims &claims, std::string_view issuer) {
  std::string out = "{";
  if (claims.expires_at) append_json_raw_member(out, "exp", std::to_string(*claims.expires_at));
  if (claims.not_before) append_json_raw_member(out, "nbf", std::to_string(*claims.not_before));
  if (!claims.audience.empty()) append_json_member(out, "aud", claims.audience);
  if (!claims.name.empty()) append_json_member(out, "name", claims.name);
  append_json_member(out, "sub", claims.subject);
  append_json_raw_member(out, "nats", claims.nats);
  append_json_member(out, "iss", issuer);
  append_json_raw_member(out, "iat", std::to_string(claims.issued_at));
  const std::string jti = jti_of(out + "}");
  append_json_member(out, "jti", jti);
  return out + "}";
}

tl::unexpected<Error> malformed(std::string message) {
  return fail("jwt_malformed", {}, std::move(message), "a NATS JWT: header.claims.signature");
}

// The three base64url texts of a token.
struct Chunks {
  std::string_view header, claims, signature;
  std::string_view signed_by_v2; // header.claims
};

Result<Chunks> split(std::string_view token) {
  const auto first = token.find('.');
  if (first == std::string_view::npos) return malformed("the token has one chunk");
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos) return malformed("the token has two chunks");
  if (token.find('.', second + 1) != std::string_view::npos) return malformed("the token has more than three chunks");
  return Chunks{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
                token.substr(0, second)};
}

Result<JsonDocument> json_of_chunk(std::string_view chunk, std::string_view what) {
  const auto bytes = base64url_decode(chunk);
  if (!bytes) return malformed("the " + std::string(what) + " is not base64url");
  auto document = parse_json(as_text(*bytes), {.max_bytes = std::size_t{1} << 20, .max_depth = 64});
  if (!document || !document->IsObject()) return malformed("the " + std::string(what) + " is not a JSON object");
  return document;
}

// What the signature covers, by the algorithm that the header names (03 §4).
Result<std::string_view> signed_text(const Chunks &chunks) {
  const auto header = json_of_chunk(chunks.header, "header");
  if (!header) return fail("jwt_header", {}, header.error().message, std::string(kHeader));
  const auto type = string_member(*header, "typ");
  const auto algorithm = string_member(*header, "alg");
  const bool known_type = type == "JWT" || type == "jwt";
  if (known_type && algorithm == "ed25519-nkey") return chunks.signed_by_v2;
  if (known_type && algorithm == "ed25519") return chunks.claims;
  return fail("jwt_header", {}, "an unknown token type or algorithm", std::string(kHeader));
}

// A member of `claims` that may be absent but not of another kind: a wrong `exp` must not count as "never expires".
Result<std::string> optional_text(const JsonValue &claims, std::string_view name) {
  const auto *member = find_member(claims, name);
  if (!member) return std::string();
  if (!member->IsString()) return malformed("the claim " + std::string(name) + " is not a string");
  return std::string(text_of(*member));
}

Result<std::optional<std::int64_t>> optional_seconds(const JsonValue &claims, std::string_view name) {
  const auto *member = find_member(claims, name);
  if (!member) return std::optional<std::int64_t>();
  const double value = member->IsNumber() ? member->GetDouble() : std::nan("");
  if (!(std::abs(value) < 9e15)) return malformed("the claim " + std::string(name) + " is not a number of seconds");
  return std::optional<std::int64_t>(static_cast<std::int64_t>(std::floor(value)));
}

Result<DecodedJwt> read_claims(JsonDocument document) {
  DecodedJwt out;
  const std::pair<std::string *, const char *> texts[] = {
      {&out.issuer, "iss"}, {&out.subject, "sub"}, {&out.audience, "aud"}, {&out.name, "name"}};
  for (const auto &[target, name] : texts) {
    auto text = optional_text(document, name);
    if (!text) return tl::make_unexpected(text.error());
    *target = std::move(*text);
  }
  const std::pair<std::optional<std::int64_t> *, const char *> times[] = {
      {&out.issued_at, "iat"}, {&out.expires_at, "exp"}, {&out.not_before, "nbf"}};
  for (const auto &[target, name] : times) {
    const auto seconds = optional_seconds(document, name);
    if (!seconds) return tl::make_unexpected(seconds.error());
    *target = *seconds;
  }
  out.claims = std::move(document);
  return out;
}

bool is_signed_by(std::string_view issuer, std::string_view text, std::string_view signature) {
  const auto key = decode_nkey(issuer);
  if (!key || key->type == NkeyType::curve) return false;
  const auto bytes = base64url_decode(signature);
  return bytes && verify_signature(key->bytes, as_bytes(text), *bytes);
}

} // namespace

std::string sign_jwt(const JwtClaims &claims, const NkeySeed &issuer) {
  std::string token = base64url(as_bytes(kHeader));
  token.append(".").append(base64url(as_bytes(claims_text(claims, issuer.public_text()))));
  const auto signature = issuer.sign(as_bytes(token));
  return token.append(".").append(base64url(signature));
}

Result<DecodedJwt> decode_jwt(std::string_view token) {
  const auto chunks = split(token);
  if (!chunks) return tl::make_unexpected(chunks.error());
  const auto covered = signed_text(*chunks);
  if (!covered) return tl::make_unexpected(covered.error());
  auto claims = json_of_chunk(chunks->claims, "claims chunk");
  if (!claims) return tl::make_unexpected(claims.error());
  auto decoded = read_claims(std::move(*claims));
  if (!decoded) return decoded;
  if (!is_signed_by(decoded->issuer, *covered, chunks->signature))
    return fail("jwt_signature", {}, "the signature is not valid for the issuer " + decoded->issuer);
  return decoded;
}

} // namespace trellis
