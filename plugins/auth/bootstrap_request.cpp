#include "bootstrap_request.h"
#include "contracts/json_write.h"
#include "wire/login_proofs.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr JsonLimits kRequestLimits{std::size_t{8} << 20, 512};

bool is_digest_text(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// The only answers without a message.
BootstrapAnswer bare_refusal(std::string_view reason) {
  return {400, JsonObjectText().text("reason", reason).str()};
}

} // namespace

tl::expected<BootstrapRequest, BootstrapAnswer> parse_bootstrap_request(std::string_view body, std::int64_t now_seconds,
                                                                        bool proofs_valid) {
  auto parsed = parse_json(body, kRequestLimits);
  if (!parsed) return tl::unexpected(BootstrapAnswer{400, JsonObjectText().text("error", "Invalid JSON body").str()});
  BootstrapRequest request;
  request.document = std::make_shared<const JsonDocument>(std::move(*parsed));
  const JsonValue &document = *request.document;
  request.session_key = string_member(document, "sessionKey");
  request.contract_id = string_member(document, "contractId");
  request.contract_digest = string_member(document, "contractDigest");
  request.contract = find_member(document, "contract");
  const std::string_view signature = string_member(document, "sig");
  const JsonValue *iat = find_member(document, "iat");
  if (!is_session_key_text(request.session_key) || request.contract_id.empty() ||
      !is_digest_text(request.contract_digest) || !is_signature_text(signature) || !iat || !iat->IsNumber())
    return tl::unexpected(bare_refusal("invalid_request"));
  if (!is_fresh(now_seconds, iat->GetDouble()))
    return tl::unexpected(BootstrapAnswer{
        400, JsonObjectText().text("reason", "iat_out_of_range").number("serverNow", now_seconds).str()});
  const std::string value = nats_connect_value(iat->GetDouble(), request.contract_digest);
  if (!proofs_valid && !verify_domain(request.session_key, domain::kNatsConnect, value, signature))
    return tl::unexpected(bare_refusal("invalid_signature"));
  return request;
}

} // namespace trellis::auth
