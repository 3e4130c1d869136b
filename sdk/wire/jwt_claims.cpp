// The `nats` members of the tokens that ours issue (03 §2, §4, §6.5).
#include "contracts/json_text.h"
#include "wire/jwt.h"

namespace trellis {
namespace {

std::string text_array(const std::vector<std::string> &texts) {
  std::string out = "[";
  for (const auto &text : texts) {
    if (out.size() > 1) out += ',';
    append_json_string(out, text);
  }
  return out + "]";
}

void append_number(std::string &out, std::string_view name, std::int64_t value) {
  append_json_raw_member(out, name, std::to_string(value));
}

// `allow` is left out only where there is a `deny`: a provisioned user with neither may do everything.
std::string permissions(const std::vector<std::string> &allow, const std::vector<std::string> &deny) {
  std::string out = "{";
  if (!allow.empty() || deny.empty()) append_json_raw_member(out, "allow", text_array(allow));
  if (!deny.empty()) append_json_raw_member(out, "deny", text_array(deny));
  return out + "}";
}

std::string response_permission(const UserClaims &claims) {
  std::string out = "{";
  append_number(out, "max", *claims.response_max);
  if (claims.response_ttl_ns) append_number(out, "ttl", *claims.response_ttl_ns);
  return out + "}";
}

std::string account_limits(bool jetstream) {
  std::string out = "{";
  for (const char *name : {"subs", "data", "payload", "imports", "exports"})
    append_number(out, name, -1);
  append_json_raw_member(out, "wildcards", "true");
  for (const char *name : {"conn", "leaf"})
    append_number(out, name, -1);
  if (!jetstream) return out + "}";
  for (const char *name : {"mem_storage", "disk_storage", "streams", "consumer"})
    append_number(out, name, -1);
  return out + "}";
}

std::string account_authorization(const AccountClaims &claims) {
  std::string out = "{";
  append_json_raw_member(out, "auth_users", text_array(claims.auth_users));
  append_json_raw_member(out, "allowed_accounts", text_array(claims.allowed_accounts));
  append_json_member(out, "xkey", claims.xkey);
  return out + "}";
}

std::string finish(std::string out, std::string_view type) {
  append_json_member(out, "type", type);
  append_number(out, "version", 2);
  return out + "}";
}

} // namespace

std::string user_nats_claims(const UserClaims &claims) {
  std::string out = "{";
  append_number(out, "data", claims.data);
  append_number(out, "payload", claims.payload);
  append_number(out, "subs", claims.subs);
  append_json_raw_member(out, "pub", permissions(claims.publish_allow, claims.publish_deny));
  if (claims.response_max) append_json_raw_member(out, "resp", response_permission(claims));
  append_json_raw_member(out, "sub", permissions(claims.subscribe_allow, claims.subscribe_deny));
  if (!claims.locale.empty()) append_json_member(out, "locale", claims.locale);
  if (!claims.issuer_account.empty()) append_json_member(out, "issuer_account", claims.issuer_account);
  return finish(std::move(out), "user");
}

std::string account_nats_claims(const AccountClaims &claims) {
  std::string out = "{";
  append_json_raw_member(out, "limits", account_limits(claims.jetstream));
  if (!claims.signing_keys.empty()) append_json_raw_member(out, "signing_keys", text_array(claims.signing_keys));
  if (!claims.auth_users.empty()) append_json_raw_member(out, "authorization", account_authorization(claims));
  return finish(std::move(out), "account");
}

std::string operator_nats_claims(std::string_view system_account) {
  std::string out = "{";
  append_json_member(out, "system_account", system_account);
  return finish(std::move(out), "operator");
}

} // namespace trellis
