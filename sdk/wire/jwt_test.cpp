#include "wire/jwt.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

const NkeySeed &account() {
  static const NkeySeed seed =
      *NkeySeed::parse("SAADL3VYO6CLVNB7EBZNTRDM72YIS47S45QI7NA4UHXLZG545EUPWU2CFI", NkeyType::account);
  return seed;
}

// A token with any header and claims, signed over `header.claims`, or over the claims only.
std::string token_of(std::string_view header, std::string_view claims, bool sign_claims_only = false) {
  const std::string claims_chunk = base64url(as_bytes(claims));
  const std::string text = base64url(as_bytes(header)) + "." + claims_chunk;
  return text + "." + base64url(account().sign(as_bytes(sign_claims_only ? claims_chunk : text)));
}

std::string claims_with(std::string_view more) {
  return R"({"iss":")" + account().public_text() + R"(","sub":"U","iat":5)" + std::string(more) + "}";
}

constexpr std::string_view kV2 = R"({"typ":"JWT","alg":"ed25519-nkey"})";

std::string decode_error(std::string_view token) {
  const auto decoded = decode_jwt(token);
  return decoded ? "" : decoded.error().code;
}

JwtClaims some_claims() {
  JwtClaims claims;
  claims.audience = kDefaultAudience;
  claims.name = "sentinel";
  claims.subject = "U";
  claims.issued_at = 5;
  claims.nats = R"({"type":"user","version":2})";
  return claims;
}

} // namespace

TEST_CASE("a signed token reads back") {
  JwtClaims claims = some_claims();
  claims.expires_at = 100;
  claims.not_before = 4;
  const auto decoded = decode_jwt(sign_jwt(claims, account()));
  REQUIRE(decoded);
  CHECK(decoded->issuer == account().public_text());
  CHECK(decoded->subject == "U");
  CHECK(decoded->audience == "NATS");
  CHECK(decoded->name == "sentinel");
  CHECK(decoded->issued_at == 5);
  CHECK(decoded->expires_at == 100);
  CHECK(decoded->not_before == 4);
  CHECK(string_member(*find_member(decoded->claims, "nats"), "type") == "user");
}

TEST_CASE("claims travel as UTF-8") {
  JwtClaims claims = some_claims();
  claims.name = "Å\xE2\x82\xAC \xF0\x9F\x98\x80";
  CHECK(decode_jwt(sign_jwt(claims, account()))->name == claims.name);
}

TEST_CASE("a name that is not UTF-8 still gives a readable token") {
  JwtClaims claims = some_claims();
  claims.name = "a\xFF\"\x01";
  CHECK(decode_jwt(sign_jwt(claims, account()))->name == "a\xEF\xBF\xBD\"\x01");
}

TEST_CASE("tokens of the first version are signed over their claims only") {
  const std::string header = R"({"typ":"jwt","alg":"ed25519"})";
  CHECK(decode_error(token_of(header, claims_with(""), true)).empty());
  CHECK(decode_error(token_of(header, claims_with(""))) == "jwt_signature");
  CHECK(decode_error(token_of(kV2, claims_with(""), true)) == "jwt_signature");
}

TEST_CASE("headers of other kinds of tokens are refused") {
  CHECK(decode_error(token_of(R"({"typ":"JWT","alg":"none"})", claims_with(""))) == "jwt_header");
  CHECK(decode_error(token_of(R"({"typ":"JWT","alg":"HS256"})", claims_with(""))) == "jwt_header");
  CHECK(decode_error(token_of(R"({"alg":"ed25519-nkey"})", claims_with(""))) == "jwt_header");
  CHECK(decode_error(token_of(R"({"typ":1,"alg":"ed25519-nkey"})", claims_with(""))) == "jwt_header");
  CHECK(decode_error(token_of("[]", claims_with(""))) == "jwt_header");
  CHECK(decode_error(token_of("", claims_with(""))) == "jwt_header");
}

TEST_CASE("texts without three chunks are no tokens") {
  CHECK(decode_error("") == "jwt_malformed");
  CHECK(decode_error("a") == "jwt_malformed");
  CHECK(decode_error("a.b") == "jwt_malformed");
  CHECK(decode_error(token_of(kV2, claims_with("")) + ".x") == "jwt_malformed");
}

TEST_CASE("chunks that don't decode are refused") {
  CHECK(decode_error("!.e30.e30") == "jwt_header");
  const std::string token = token_of(kV2, claims_with(""));
  const std::string header = token.substr(0, token.find('.'));
  CHECK(decode_error(header + ".!.AA") == "jwt_malformed");
  CHECK(decode_error(header + ".bm90IGpzb24.AA") == "jwt_malformed");
  CHECK(decode_error(token.substr(0, token.rfind('.') + 1)) == "jwt_signature");
  CHECK(decode_error(token.substr(0, token.size() - 4)) == "jwt_signature");
  CHECK(decode_error(token.substr(0, token.rfind('.')) + ".!!!!") == "jwt_signature");
}

TEST_CASE("an expiry that is no number is refused instead of ignored") {
  CHECK(decode_error(token_of(kV2, claims_with(R"(,"exp":"100")"))) == "jwt_malformed");
  CHECK(decode_error(token_of(kV2, claims_with(R"(,"exp":null)"))) == "jwt_malformed");
  CHECK(decode_error(token_of(kV2, claims_with(R"(,"exp":1e300)"))) == "jwt_malformed");
  CHECK(decode_error(token_of(kV2, claims_with(R"(,"exp":1e999)"))) == "jwt_malformed");
  CHECK(decode_jwt(token_of(kV2, claims_with(R"(,"exp":100.9)")))->expires_at == 100);
}

TEST_CASE("a token without a signing issuer is refused") {
  CHECK(decode_error(token_of(kV2, R"({"sub":"U"})")) == "jwt_signature");
  CHECK(decode_error(token_of(kV2, R"({"iss":7})")) == "jwt_malformed");
  CHECK(decode_error(token_of(kV2, R"({"iss":"AAAA"})")) == "jwt_signature");
  const auto curve = NkeySeed::generate(NkeyType::curve).public_text();
  CHECK(decode_error(token_of(kV2, R"({"iss":")" + curve + R"("})")) == "jwt_signature");
}

TEST_CASE("the claims of a session's user are written as 03 asks") {
  UserClaims claims;
  claims.publish_allow = {"rpc.v1.Bookings.Create", "rpc.v1.Auth.Sessions.Me"};
  claims.subscribe_allow = {"_INBOX.3YCIRlb_0UM6rELt.>"};
  claims.response_max = 1;
  claims.locale = "UTC";
  claims.issuer_account = "ACKQ";
  claims.data = 100000000;
  claims.subs = 1500;
  CHECK(user_nats_claims(claims) ==
        R"({"data":100000000,"payload":-1,"subs":1500,"pub":{"allow":["rpc.v1.Bookings.Create",)"
        R"("rpc.v1.Auth.Sessions.Me"]},"resp":{"max":1},"sub":{"allow":["_INBOX.3YCIRlb_0UM6rELt.>"]},)"
        R"("locale":"UTC","issuer_account":"ACKQ","type":"user","version":2})");
}

TEST_CASE("a streaming service's response permission has a time limit") {
  UserClaims claims;
  claims.response_max = 65535;
  claims.response_ttl_ns = 3600000000000;
  CHECK(user_nats_claims(claims).find(R"("resp":{"max":65535,"ttl":3600000000000})") != std::string::npos);
}

TEST_CASE("a user who may publish nothing has an empty list, not none") {
  CHECK(user_nats_claims({}).find(R"("pub":{"allow":[]})") != std::string::npos);
}

TEST_CASE("the sentinel is denied everything") {
  UserClaims claims;
  claims.publish_deny = {">"};
  claims.subscribe_deny = {">"};
  CHECK(user_nats_claims(claims) == R"({"data":-1,"payload":-1,"subs":-1,"pub":{"deny":[">"]},)"
                                    R"("sub":{"deny":[">"]},"type":"user","version":2})");
}

TEST_CASE("the claims of the callout account name its users, accounts and key") {
  AccountClaims claims;
  claims.jetstream = true;
  claims.signing_keys = {"ACAT"};
  claims.auth_users = {"UDIT"};
  claims.allowed_accounts = {"ACKQ"};
  claims.xkey = "XA72";
  CHECK(account_nats_claims(claims) ==
        R"({"limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,)"
        R"("leaf":-1,"mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1},"signing_keys":["ACAT"],)"
        R"("authorization":{"auth_users":["UDIT"],"allowed_accounts":["ACKQ"],"xkey":"XA72"},)"
        R"("type":"account","version":2})");
}

TEST_CASE("the system account has no JetStream") {
  CHECK(account_nats_claims({}) == R"({"limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,)"
                                   R"("wildcards":true,"conn":-1,"leaf":-1},"type":"account","version":2})");
}
