// http-derivations.json (vectors README §3.3): each kind through the function that the routes use.
#include "contracts/authority_plan.h"
#include "contracts/json_write.h"
#include "http_cases.h"
#include "http_cookie.h"
#include "http_urls.h"
#include "passwords.h"
#include "store/accounts.h"
#include "wire/app_identity.h"
#include "wire/clock_offset.h"
#include "wire/login_proofs.h"
#include "wire/redirect.h"
#include "wire/ulid.h"
#include "wire_vectors.h"
#include <cmath>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

std::int64_t time_of(std::string_view text) {
  std::int64_t out = 0;
  if (!parse_iso_time(text, out)) throw std::runtime_error("not a time: " + std::string(text));
  return out;
}

std::vector<std::string> texts_of(const JsonValue &list) {
  std::vector<std::string> out;
  if (!list.IsArray()) throw std::runtime_error("not a list");
  for (const auto &item : list.GetArray())
    out.emplace_back(text_of(item));
  return out;
}

// null and absent are nothing.
std::optional<std::string> optional_text(const Input &input, std::string_view name) {
  const auto *value = input.find(name);
  return value && value->IsString() ? std::optional<std::string>(text_of(*value)) : std::nullopt;
}

std::int64_t whole(const Input &input, std::string_view name) {
  return static_cast<std::int64_t>(input.number(name));
}

// ---------------------------------------------------------------- signatures

std::string auth_start_value(const JsonValue &request) {
  const auto redirect = string_member(request, "redirectTo"), provider = string_member(request, "provider");
  return required(oauth_init_value({redirect, provider, find_member(request, "contract"),
                                    string_member(request, "contractDigest"), find_member(request, "context")}));
}

std::string logout_value(const JsonValue &request) {
  LogoutRequest out;
  const auto flag = [&](std::string_view name, std::optional<bool> &value) {
    if (const auto *member = find_member(request, name)) value = member->IsTrue();
  };
  const auto text = [&](std::string_view name, std::optional<std::string> &value) {
    if (const auto *member = find_member(request, name)) value = std::string(text_of(*member));
  };
  out.iat = find_member(request, "iat")->GetDouble();
  flag("providerLogout", out.provider_logout);
  flag("federatedProviderLogout", out.federated_provider_logout);
  text("returnTo", out.return_to);
  text("responseMode", out.response_mode);
  return logout_session_value(out);
}

struct Signed {
  std::string domain, value;
};

Signed signed_part(const Input &input) {
  const auto kind = input.text("kind");
  if (kind == "auth-start") return {domain::kOauthInit, auth_start_value(input.at("request"))};
  if (kind == "bind-flow") return {domain::kBindFlow, input.text("flowId")};
  if (kind == "bootstrap-client") return {domain::kBootstrapClient, bootstrap_client_value(input.number("iat"))};
  if (kind == "nats-connect")
    return {domain::kNatsConnect, nats_connect_value(input.number("iat"), input.text("contractDigest"))};
  if (kind == "logout") return {domain::kLogoutSession, logout_value(input.at("request"))};
  throw std::runtime_error("unknown kind of signature: " + kind);
}

JsonDocument domain_signature(const Input &input, const CaseContext &) {
  const auto key = session_key_of(input);
  const auto part = signed_part(input);
  const auto text = part.domain + ":" + part.value;
  const auto signature = key.sign_domain(part.domain, part.value);
  if (!verify_domain(key.text(), part.domain, part.value, signature)) throw std::runtime_error("not verified");
  return Output()
      .text("sessionKey", key.text())
      .text("signedText", text)
      .text("digestHex", hex(sha256(as_bytes(text))))
      .text("sig", signature)
      .take();
}

// ---------------------------------------------------------------- URLs and ids

JsonDocument validate_redirect_to(const Input &input, const CaseContext &) {
  const auto &value = input.at("value");
  const auto origins = texts_of(input.at("origins"));
  const auto used = value.IsString() ? validate_redirect(text_of(value), origins)
                                     : Result<std::string>(fail("invalid_redirect", "", "not a string"));
  Output out;
  out.flag("ok", used.has_value());
  if (used) out.text("value", *used);
  return out.take();
}

JsonDocument location(const Input &input, const CaseContext &) {
  QueryParameters parameters;
  for (const auto &member : input.at("params").GetObject())
    parameters.emplace_back(text_of(member.name), text_of(member.value));
  return Output().text("location", redirect_location(input.text("target"), parameters)).take();
}

JsonDocument identity_id(const Input &input, const CaseContext &) {
  return Output().text("identityId", identity_id_of(input.text("provider"), input.text("subject"))).take();
}

JsonDocument identity_anchor(const Input &input, const CaseContext &) {
  const auto app = app_identity(input.text("contractId"), input.text("redirectTo"));
  const auto anchor = identity_anchor_json(app, input.text("sessionKey"));
  Output app_object;
  app_object.text("contractId", app.contract_id);
  if (app.origin) app_object.text("origin", *app.origin);
  return Output()
      .json("app", std::move(app_object))
      .json("anchor", required_json(anchor))
      .text("identityGrantId", identity_grant_id(input.text("userId"), anchor))
      .take();
}

JsonDocument token_hash(const Input &input, const CaseContext &) {
  return Output().text("hash", opaque_token_hash(input.text("value"))).take();
}

JsonDocument portal_link(const Input &input, const CaseContext &) {
  return Output().text("url", password_portal_url(input.text("baseUrl"), input.text("flowId"))).take();
}

JsonDocument transports(const Input &input, const CaseContext &) {
  ControlPlaneConfig config;
  config.nats_servers = input.text("natsServers");
  const Input client(input.at("client"));
  if (const auto *servers = client.find("natsServers")) config.client_servers = texts_of(*servers);
  if (const auto *servers = client.find("nativeNatsServers")) config.client_native_servers = texts_of(*servers);
  if (!client.unread().empty()) throw std::runtime_error("/input/client: an unknown member");
  return Output().json("transports", required_json(transports_json(config))).take();
}

JsonDocument cookie_is_secure(const Input &input, const CaseContext &) {
  const auto origin = optional_text(input, "publicOrigin");
  const auto base = input.text("redirectBase");
  return Output().flag("secure", secure_cookie(origin, base, texts_of(input.at("allowInsecureOrigins")))).take();
}

JsonDocument cookie(const Input &input, const CaseContext &) {
  const auto value = cookie_value(optional_text(input, "header").value_or(""), input.text("name"));
  if (!value) return Output().json("value", JsonValue()).take();
  return Output().text("value", *value).take();
}

JsonDocument logout_return_to(const Input &input, const CaseContext &) {
  const bool valid =
      valid_return_to(input.text("returnTo"), optional_text(input, "appOrigin"), texts_of(input.at("webOrigins")));
  return Output().flag("valid", valid).take();
}

JsonDocument clock_offset(const Input &input, const CaseContext &) {
  const double offset = clock_offset_ms(whole(input, "requestStartedAtMs"), whole(input, "responseReceivedAtMs"),
                                        whole(input, "serverNowSeconds"));
  const auto iat = corrected_iat(whole(input, "nextNowMs"), offset);
  return Output().number("offsetMs", offset).number("iat", static_cast<double>(iat)).take();
}

// ---------------------------------------------------------------- passwords

JsonDocument password_hash(const Input &input, const CaseContext &) {
  const auto salt = required_bytes(hex_decode(input.text("saltHex")));
  const auto made = hash_password(input.text("password"), salt, input.text("identityId"), time_of(input.text("now")));
  Output parameters, credential;
  parameters.number("v", made.version).text("salt", made.salt).number("memoryKiB", made.memory_kib);
  parameters.number("iterations", made.iterations).number("parallelism", made.parallelism).number("hashBytes", 32);
  credential.text("identityId", made.identity_id).text("passwordHash", made.hash);
  credential.text("passwordAlgorithm", "argon2id").json("passwordParams", std::move(parameters));
  credential.text("passwordSetAt", iso_time(made.set_at)).flag("mustChangePassword", made.must_change);
  credential.number("failedLoginCount", made.failed_logins).json("lockedUntil", JsonValue());
  credential.text("updatedAt", iso_time(made.updated_at));
  return Output().json("credential", std::move(credential)).take();
}

// A parameter that is no whole number is one that no record of ours has.
int parameter(const JsonValue &parameters, std::string_view name) {
  const auto *value = find_member(parameters, name);
  if (!value || !value->IsNumber() || value->GetDouble() != std::floor(value->GetDouble())) return -1;
  return std::abs(value->GetDouble()) > 1e9 ? -1 : static_cast<int>(value->GetDouble());
}

JsonDocument password_verify(const Input &input, const CaseContext &) {
  const auto &parameters = input.at("passwordParams");
  Credential credential;
  credential.hash = input.text("passwordHash");
  credential.salt = string_member(parameters, "salt");
  credential.version = parameter(parameters, "v");
  credential.memory_kib = parameter(parameters, "memoryKiB");
  credential.iterations = parameter(parameters, "iterations");
  credential.parallelism = parameter(parameters, "parallelism");
  const bool ours = input.text("passwordAlgorithm") == "argon2id" && parameter(parameters, "hashBytes") == 32;
  const bool valid = verify_password(credential, input.text("password"));
  return Output().flag("valid", ours && valid).take();
}

JsonDocument password_policy(const Input &input, const CaseContext &) {
  const auto length = static_cast<double>(password_length(input.text("password")));
  return Output().flag("ok", length >= input.number("minLength")).take();
}

JsonDocument login_failures(const Input &input, const CaseContext &context) {
  Credential credential;
  credential.failed_logins = static_cast<int>(input.number("failedLoginCount"));
  Output after(rapidjson::kArrayType);
  for (const auto &time : input.at("failuresAt").GetArray()) {
    credential = after_failed_login(credential, time_of(text_of(time)));
    Output state;
    state.number("failedLoginCount", credential.failed_logins);
    if (credential.locked_until) state.text("lockedUntil", iso_time(*credential.locked_until));
    if (!credential.locked_until) state.json("lockedUntil", JsonValue());
    after.push(std::move(state));
  }
  Output locked;
  for (const auto &entry : find_member(*context.expected, "lockedAt")->GetObject())
    locked.flag(text_of(entry.name), is_locked(credential, time_of(text_of(entry.name))));
  return Output().json("after", std::move(after)).json("lockedAt", std::move(locked)).take();
}

} // namespace

void register_http_derivations(Registry &registry) {
  registry["http-derivations"] = {
      {"domainSignature", {domain_signature}}, {"validateRedirectTo", {validate_redirect_to}},
      {"redirectLocation", {location}},        {"identityId", {identity_id}},
      {"identityAnchor", {identity_anchor}},   {"tokenHash", {token_hash}},
      {"passwordHash", {password_hash}},       {"passwordVerify", {password_verify}},
      {"passwordPolicy", {password_policy}},   {"loginFailures", {login_failures}},
      {"passwordPortalUrl", {portal_link}},    {"transports", {transports}},
      {"secureCookie", {cookie_is_secure}},    {"cookie", {cookie}},
      {"logoutReturnTo", {logout_return_to}},  {"clockOffset", {clock_offset}},
  };
}

} // namespace trellis::vectors
