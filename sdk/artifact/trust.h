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

// Why a file may run inside the host.
struct Trust {
  bool pinned = false;
  std::optional<SignerKey> signer;
};
// Errors: "pin_mismatch" (expected, found), "untrusted" (neither pinned nor signed by a key in [trust]), those of
// verify_artifact. A pin that doesn't match is never made up for by a signature.
Result<Trust> check_trust(const Artifact &artifact, std::string_view pinned_sha256,
                          const std::vector<SignerKey> &signers);

} // namespace trellis
