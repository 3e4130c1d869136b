#include "bundle.h"
#include "bundle_config.h"
#include "wire/credentials.h"
#include "wire/jwt.h"
#include "wire/nkeys.h"
#include "wire/session_key.h"
#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace trellis::cli {
namespace {

// ------------------------------------------------------------------------------------------------------------- options

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

// Text that goes into quoted strings and lines of configuration files.
bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}
bool is_url_text(std::string_view text) {
  return is_printable(text) && text.find_first_of(" \"\\,") == std::string_view::npos;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return port;
}

struct Scheme {
  std::string_view prefix;
  std::uint16_t default_port;
};

// The port of one "scheme://host[:port][/...]".
Result<std::uint16_t> url_port(std::string_view option, std::string_view url, std::initializer_list<Scheme> schemes) {
  for (const Scheme &scheme : schemes) {
    if (!url.starts_with(scheme.prefix) || !is_url_text(url)) continue;
    std::string_view authority = url.substr(scheme.prefix.size());
    authority = authority.substr(0, authority.find('/'));
    const std::size_t host_end = authority.starts_with('[') ? authority.find(']') : 0;
    const std::size_t colon = host_end == std::string_view::npos ? host_end : authority.find(':', host_end);
    if (authority.empty() || colon == 0) break;
    if (colon == std::string_view::npos) return scheme.default_port;
    if (const auto port = parse_port(authority.substr(colon + 1))) return *port;
    break;
  }
  std::string expected = "one URL such as " + std::string(schemes.begin()->prefix) +
                         "127.0.0.1:" + std::to_string(schemes.begin()->default_port);
  return fail("bundle_option", std::string(option), "\"" + std::string(url) + "\" is not usable", std::move(expected));
}

Result<void> check_name(std::string_view option, std::string_view name) {
  if (is_plain_name(name)) return {};
  return fail("bundle_option", std::string(option), "\"" + std::string(name) + "\" is not usable",
              "1 to 64 letters, digits, \"-\", \"_\" or \".\"");
}

Result<void> check_names(const BundleOptions &options) {
  for (const auto &[option, name] :
       {std::pair<std::string_view, std::string_view>{"--system-account", options.system_account},
        {"--auth-account", options.auth_account},
        {"--trellis-account", options.trellis_account},
        {"--server-name", options.server_name},
        {"--sync-interval", options.sync_interval}})
    if (auto checked = check_name(option, name); !checked) return checked;
  if (options.operator_name.empty() || !is_printable(options.operator_name))
    return fail("bundle_option", "--operator-name", "is empty or holds control characters");
  if (!options.dir.is_absolute() || !is_printable(options.dir.native()))
    return fail("bundle_option", "--out", "is not an absolute path, or holds control characters");
  if (options.control_plane &&
      (!options.control_plane->path.is_absolute() || !is_printable(options.control_plane->path.native())))
    return fail("bundle_option", "--auth-plugin", "is not an absolute path, or holds control characters");
  if (!is_url_text(options.public_origin) ||
      !(options.public_origin.starts_with("http://") || options.public_origin.starts_with("https://")))
    return fail("bundle_option", "--public-origin", "\"" + options.public_origin + "\" is not usable",
                "an origin such as http://localhost:3000");
  return {};
}

Result<BundleFacts> facts_from(const BundleOptions &options) {
  if (auto checked = check_names(options); !checked) return tl::unexpected(checked.error());
  BundleFacts facts;
  facts.options = options;
  const auto nats = url_port("--nats-server-url", options.nats_url, {{"nats://", 4222}, {"tls://", 4222}});
  if (!nats) return tl::unexpected(nats.error());
  facts.nats_port = *nats;
  if (options.websocket_url.empty()) return facts;
  const auto websocket = url_port("--nats-websocket-url", options.websocket_url, {{"ws://", 80}, {"wss://", 443}});
  if (!websocket) return tl::unexpected(websocket.error());
  facts.websocket_port = *websocket;
  return facts;
}

// ---------------------------------------------------------------------------------------------------------------- keys

struct BundleKeys {
  NkeySeed operator_key = NkeySeed::generate(NkeyType::operator_);
  NkeySeed system_account = NkeySeed::generate(NkeyType::account);
  NkeySeed auth_account = NkeySeed::generate(NkeyType::account);
  NkeySeed trellis_account = NkeySeed::generate(NkeyType::account);
  NkeySeed issuer_signing = NkeySeed::generate(NkeyType::account); // signs callout answers
  NkeySeed target_signing = NkeySeed::generate(NkeyType::account); // signs the JWTs of participants
  NkeySeed callout_xkey = NkeySeed::generate(NkeyType::curve);
  NkeySeed system_user = NkeySeed::generate(NkeyType::user);
  NkeySeed auth_user = NkeySeed::generate(NkeyType::user);
  NkeySeed trellis_user = NkeySeed::generate(NkeyType::user);
  NkeySeed sentinel_user = NkeySeed::generate(NkeyType::user);
  SessionKey control_plane = SessionKey::generate();
  SessionKey local_caller = SessionKey::generate();
};

void fill_public_keys(BundleFacts &facts, const BundleKeys &keys) {
  facts.system_account = {facts.options.system_account, keys.system_account.public_text()};
  facts.auth_account = {facts.options.auth_account, keys.auth_account.public_text()};
  facts.trellis_account = {facts.options.trellis_account, keys.trellis_account.public_text()};
  facts.system_user = {"system", keys.system_user.public_text()};
  facts.auth_user = {"auth", keys.auth_user.public_text()};
  facts.trellis_user = {"auth", keys.trellis_user.public_text()};
  facts.sentinel_user = {"sentinel", keys.sentinel_user.public_text()};
  facts.caller_session_key = keys.local_caller.text();
}

// ---------------------------------------------------------------------------------------------------------------- JWTs

std::string jwt_of(const NamedKey &subject, std::string nats, const NkeySeed &issuer, std::int64_t now) {
  JwtClaims claims;
  claims.name = subject.name;
  claims.subject = subject.public_key;
  claims.issued_at = now;
  claims.nats = std::move(nats);
  return sign_jwt(claims, issuer);
}

UserClaims may_do_everything() {
  UserClaims claims;
  claims.publish_allow = claims.subscribe_allow = {">"};
  return claims;
}

// The sentinel is public: all that it can do is make the server call out.
UserClaims may_do_nothing() {
  UserClaims claims;
  claims.publish_deny = claims.subscribe_deny = {">"};
  return claims;
}

SecretText credentials_of(const NamedKey &user, const NkeySeed &seed, const UserClaims &claims, const NkeySeed &account,
                          std::int64_t now) {
  return format_credentials({jwt_of(user, user_nats_claims(claims), account, now), seed.clone()});
}

// --------------------------------------------------------------------------------------------------------------- files

void add_public(Bundle &bundle, const std::string &path, std::string content) {
  bundle.files[path] = BundleFile{SecretText(std::move(content)), false};
}
void add_secret(Bundle &bundle, const std::string &path, SecretText content) {
  bundle.files[path] = BundleFile{std::move(content), true};
}
void add_seed(Bundle &bundle, const std::string &path, const SecretText &seed) {
  add_secret(bundle, path, SecretText(seed.reveal() + "\n"));
}

void add_accounts(Bundle &bundle, BundleFacts &facts, const BundleKeys &keys, std::int64_t now) {
  AccountClaims trellis;
  trellis.jetstream = true;
  trellis.signing_keys = {keys.target_signing.public_text()};
  AccountClaims auth;
  auth.jetstream = true;
  auth.signing_keys = {keys.issuer_signing.public_text()};
  auth.auth_users = {facts.auth_user.public_key};
  auth.allowed_accounts = {facts.trellis_account.public_key};
  auth.xkey = keys.callout_xkey.public_text();

  const NkeySeed &signer = keys.operator_key;
  facts.system_account_jwt = jwt_of(facts.system_account, account_nats_claims({}), signer, now);
  facts.operator_jwt = jwt_of({facts.options.operator_name, signer.public_text()},
                              operator_nats_claims(facts.system_account.public_key), signer, now);
  add_public(bundle, bundle_path::account_jwt(facts.system_account), facts.system_account_jwt);
  add_public(bundle, bundle_path::account_jwt(facts.auth_account),
             jwt_of(facts.auth_account, account_nats_claims(auth), signer, now));
  add_public(bundle, bundle_path::account_jwt(facts.trellis_account),
             jwt_of(facts.trellis_account, account_nats_claims(trellis), signer, now));
}

void add_credentials(Bundle &bundle, const BundleFacts &facts, const BundleKeys &keys, std::int64_t now) {
  const auto add = [&](std::string_view file, const NamedKey &user, const NkeySeed &seed, const UserClaims &claims,
                       const NkeySeed &account) {
    add_secret(bundle, "nats/creds/" + std::string(file), credentials_of(user, seed, claims, account, now));
  };
  add("system.creds", facts.system_user, keys.system_user, may_do_everything(), keys.system_account);
  add("auth-auth.creds", facts.auth_user, keys.auth_user, may_do_everything(), keys.auth_account);
  add("trellis-auth.creds", facts.trellis_user, keys.trellis_user, may_do_everything(), keys.trellis_account);
  add("sentinel.creds", facts.sentinel_user, keys.sentinel_user, may_do_nothing(), keys.auth_account);
}

void add_seeds(Bundle &bundle, const BundleFacts &facts, const BundleKeys &keys) {
  add_seed(bundle, "nats/secrets/auth-issuer-signing.seed", keys.issuer_signing.text());
  add_seed(bundle, bundle_path::kTargetSigningSeed, keys.target_signing.text());
  add_seed(bundle, "nats/secrets/auth-sx.seed", keys.callout_xkey.text());
  add_seed(bundle, "nats/secrets/operator.seed", keys.operator_key.text());
  add_seed(bundle, "nats/secrets/system-account.seed", keys.system_account.text());
  add_seed(bundle, "nats/secrets/auth-account.seed", keys.auth_account.text());
  add_seed(bundle, "nats/secrets/trellis-account.seed", keys.trellis_account.text());
  add_seed(bundle, bundle_path::kSessionSeed, keys.control_plane.seed_text());
  if (!facts.options.control_plane) add_seed(bundle, bundle_path::kCallerSeed, keys.local_caller.seed_text());
}

void add_configuration(Bundle &bundle, const BundleFacts &facts) {
  add_public(bundle, bundle_path::kNatsConf, nats_conf(facts));
  add_public(bundle, bundle_path::kJwtConf, jwt_conf(facts));
  add_public(bundle, bundle_path::kCalloutEnv, callout_env(facts));
  add_public(bundle, bundle_path::kTrellisConfig, control_plane_config(facts));
  add_public(bundle, bundle_path::kHostConfig, host_toml(facts));
  if (!facts.options.control_plane) add_public(bundle, bundle_path::kPolicy, policy_toml(facts));
  add_public(bundle, bundle_path::kNatsManifest, nats_manifest(facts));
  bundle.manifest_json = root_manifest(facts);
  add_public(bundle, bundle_path::kManifest, bundle.manifest_json);
  bundle.folders = {bundle_path::kTrellisData, bundle_path::kHostState};
}

} // namespace

Result<Bundle> make_bundle(const BundleOptions &options, std::int64_t now) {
  auto facts = facts_from(options);
  if (!facts) return tl::unexpected(facts.error());
  const BundleKeys keys;
  fill_public_keys(*facts, keys);
  Bundle bundle;
  add_accounts(bundle, *facts, keys, now);
  add_credentials(bundle, *facts, keys, now);
  add_seeds(bundle, *facts, keys);
  add_configuration(bundle, *facts);
  return bundle;
}

} // namespace trellis::cli
