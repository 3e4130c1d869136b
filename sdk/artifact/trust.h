// Who vouches for a plugin file: a pin of its SHA-256 or a minisign signature beside it (ARCHITECTURE §3).
//
// minisign's format (signature algorithm "ED", prehashed with BLAKE2b-512), because operators can check our signatures
// with a tool that isn't ours.
#pragma once

#include "artifact/artifact.h"
#include "wire/nkeys.h"
#include "wire/secret.h"
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

struct SignerKey {
  std::array<std::uint8_t, 8> id{};
  PublicKeyBytes key{};
  std::string text; // base64, "RW..."
};
// The base64 line of a minisign public key. Error "signer_invalid".
Result<SignerKey> parse_signer(std::string_view text);

// A signing key of ours: created by `trellis plugin sign --new-key`, kept in a file (0600).
struct SigningKey {
  std::array<std::uint8_t, 8> id{};
  NkeySeed seed;
  SignerKey signer() const;
};
SigningKey generate_signing_key();
SecretText format_signing_key(const SigningKey &key);
Result<SigningKey> parse_signing_key(std::string_view text); // "signing_key_invalid"

// Contents of FILE.sig.
std::string sign_artifact(const SigningKey &key, ByteView file, std::string_view trusted_comment);
// The signer that made it. Errors: "signature_malformed", "signature_unknown_signer", "signature_invalid".
Result<SignerKey> verify_artifact(ByteView file, std::string_view signature, const std::vector<SignerKey> &signers);

// Who may sign: a key of [trust] with the name and the times that the operator gave it. What runs keeps running when
// its key's time is over; the times decide what is loaded from now on. They are compared with the host's clock, never
// with the time in a signature: whoever has a stolen key writes that too.
struct TrustedSigner {
  std::string name; // NAME of [trust.keys.NAME]; the key's id for one of [trust] signers
  SignerKey key;
  std::optional<std::int64_t> not_before, not_after; // Unix seconds; not_after is the first second that is too late
  bool revoked = false;
};

struct TrustRules {
  std::vector<TrustedSigner> signers;
  bool require_signature = false; // a pin alone isn't enough
};

// What trellis.toml says about one plugin.
struct TrustWanted {
  std::string plugin;               // its name, for messages
  std::string sha256;               // pin, or ""
  std::vector<std::string> signers; // names: one of these must have signed, pin or not; empty: any of the rules
};

// Why a file may run inside the host.
struct Trust {
  bool pinned = false;
  std::optional<SignerKey> signer;
  std::string signer_name;
};
// `now`: Unix seconds. Errors: "pin_mismatch" (expected, found), "untrusted" (neither pinned nor signed),
// "signature_required" (pinned, but a signature is wanted and there is none), "signer_not_accepted" (signed by a
// trusted key, which isn't one of `signers`), "signer_revoked", "signer_expired", "signer_not_yet_valid", those of
// verify_artifact. Each names the plugin, who signed, and who would do. A pin that doesn't match is never made up for
// by a signature.
Result<Trust> check_trust(const Artifact &artifact, const TrustWanted &wanted, const TrustRules &rules,
                          std::int64_t now);
// Rules in which each of these keys is good, without names or times: for the command line.
TrustRules trust_in(const std::vector<SignerKey> &signers);

} // namespace trellis
