// The configuration texts of a bundle (10 §4), written from its public facts: names, public keys, URLs.
//
// Apart from make_bundle, which holds every seed, so that what is written here can be seen to hold no secret. The JWTs
// in jwt.conf are public too.
#pragma once

#include "bundle.h"
#include <string>

namespace trellis::cli {

struct NamedKey {
  std::string name, public_key;
};

struct BundleFacts {
  BundleOptions options;
  std::uint16_t nats_port = 0, websocket_port = 0; // from the URLs; websocket 0 = no listener
  NamedKey system_account, auth_account, trellis_account;
  NamedKey system_user, auth_user, trellis_user, sentinel_user;
  std::string operator_jwt, system_account_jwt;
  std::string caller_session_key; // of the caller "local" in policy.toml, with static policy
};

// Where things are, relative to the bundle's folder.
namespace bundle_path {
inline constexpr char kManifest[] = "manifest.json";
inline constexpr char kNatsManifest[] = "nats/manifest.json";
inline constexpr char kNatsConf[] = "nats/nats.conf";
inline constexpr char kJwtConf[] = "nats/jwt.conf";
inline constexpr char kCalloutEnv[] = "nats/auth-callout.env";
inline constexpr char kTrellisConfig[] = "trellis/config.jsonc";
inline constexpr char kSessionSeed[] = "trellis/session.seed";
inline constexpr char kTrellisData[] = "trellis/data";
inline constexpr char kHostConfig[] = "trellis.toml";
inline constexpr char kPolicy[] = "policy.toml";
inline constexpr char kHostState[] = "state";
inline constexpr char kCallerSeed[] = "callers/local.seed";
inline constexpr char kTargetSigningSeed[] = "nats/secrets/auth-target-signing.seed";
std::string account_jwt(const NamedKey &account); // the resolver finds an account by its public key
} // namespace bundle_path

std::string nats_conf(const BundleFacts &facts);
std::string jwt_conf(const BundleFacts &facts);
std::string callout_env(const BundleFacts &facts);
std::string control_plane_config(const BundleFacts &facts);
std::string nats_manifest(const BundleFacts &facts);
std::string root_manifest(const BundleFacts &facts);
std::string host_toml(const BundleFacts &facts);
std::string policy_toml(const BundleFacts &facts);

} // namespace trellis::cli
