#include "wire/connect_token.h"

#include "contracts/json.h"
#include "contracts/json_text.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include <algorithm>
#include <cmath>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::string_view kDomain = "nats-connect";
constexpr JsonLimits kLimits{.max_bytes = std::size_t{64} << 10, .max_depth = 32};

std::string signed_value(std::int64_t iat, std::string_view contract_digest) {
  return std::to_string(iat).append(":").append(contract_digest);
}

bool is_contract_digest(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

bool is_version_1(const JsonValue &token) {
  const auto *version = find_member(token, "v");
  return version && version->IsNumber() && version->GetDouble() == 1;
}

// Ours; like any member that receivers don't know, another value is ignored.
std::string_view known_use(const JsonValue &token) {
  const auto use = string_member(token, "use");
  return use == "rpc" || use == "stream" ? use : std::string_view();
}

} // namespace

std::string make_connect_token(const SessionKey &key, std::int64_t iat, std::string_view contract_digest,
                               std::string_view use) {
  std::string out = "{";
  append_json_raw_member(out, "v", "1");
  append_json_member(out, "sessionKey", key.text());
  append_json_raw_member(out, "iat", std::to_string(iat));
  append_json_member(out, "contractDigest", contract_digest);
  append_json_member(out, "sig", key.sign_domain(kDomain, signed_value(iat, contract_digest)));
  if (!use.empty()) append_json_member(out, "use", use);
  return out + "}";
}

tl::expected<ConnectToken, std::string> parse_connect_token(std::string_view text) {
  if (text.empty()) return tl::make_unexpected("auth_token_required");
  const auto invalid = tl::make_unexpected("invalid_auth_token");
  const auto json = parse_json(text, kLimits);
  if (!json || !json->IsObject() || !is_version_1(*json)) return invalid;
  const auto *iat = find_member(*json, "iat");
  if (!iat || !iat->IsNumber()) return invalid;

  ConnectToken token;
  token.iat = iat->GetDouble();
  token.session_key = string_member(*json, "sessionKey");
  token.contract_digest = string_member(*json, "contractDigest");
  token.signature = string_member(*json, "sig");
  token.use = known_use(*json);
  if (!std::isfinite(token.iat) || std::trunc(token.iat) != token.iat) return invalid;
  if (!is_session_key_text(token.session_key) || !is_signature_text(token.signature)) return invalid;
  if (!is_contract_digest(token.contract_digest)) return invalid;
  return token;
}

tl::expected<ConnectToken, std::string> check_connect_token(std::string_view text, std::int64_t now) {
  auto token = parse_connect_token(text);
  if (!token) return token;
  if (!is_fresh(now, token->iat)) return tl::make_unexpected("iat_out_of_range");
  // Fresh, so the number is near `now` and fits.
  const auto iat = static_cast<std::int64_t>(token->iat);
  if (!verify_domain(token->session_key, kDomain, signed_value(iat, token->contract_digest), token->signature))
    return tl::make_unexpected("invalid_signature");
  return token;
}

} // namespace trellis
