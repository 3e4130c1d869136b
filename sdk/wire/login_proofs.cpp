#include "wire/login_proofs.h"

#include "contracts/canonical.h"
#include "contracts/encoding.h"
#include "contracts/json_text.h"
#include <rapidjson/document.h>

namespace trellis {
namespace {

std::string_view bool_text(bool value) {
  return value ? "true" : "false";
}

Result<std::string> contract_part(const OauthInit &request) {
  if (request.contract) return canonical_json(*request.contract, NegativeZero::zero);
  std::string out;
  append_json_string(out, request.contract_digest);
  return out;
}

Result<std::string> context_part(const OauthInit &request) {
  if (!request.context || !request.context->IsObject()) return std::string("null");
  return canonical_json(*request.context, NegativeZero::zero);
}

} // namespace

std::string nats_connect_value(double iat, std::string_view contract_digest) {
  return ecmascript_number(iat).append(":").append(contract_digest);
}

std::string bootstrap_client_value(double iat) {
  return ecmascript_number(iat);
}

Result<std::string> oauth_init_value(const OauthInit &request) {
  auto contract = contract_part(request);
  if (!contract) return contract;
  auto context = context_part(request);
  if (!context) return context;
  std::string out(request.redirect_to);
  out.append(":").append(request.provider);
  out.append(":").append(*contract);
  out.append(":").append(*context);
  return out;
}

// Canonical JSON: the members in order.
std::string logout_session_value(const LogoutRequest &request) {
  std::string out = "{";
  if (request.federated_provider_logout)
    append_json_raw_member(out, "federatedProviderLogout", bool_text(*request.federated_provider_logout));
  append_json_raw_member(out, "iat", ecmascript_number(request.iat));
  if (request.provider_logout) append_json_raw_member(out, "providerLogout", bool_text(*request.provider_logout));
  if (request.response_mode) append_json_member(out, "responseMode", *request.response_mode);
  if (request.return_to) append_json_member(out, "returnTo", *request.return_to);
  return out + "}";
}

std::string opaque_token_hash(std::string_view token) {
  return sha256_base64url(token);
}

} // namespace trellis
