// The text form of minisign signatures: four lines, two of them base64.
//
//   untrusted comment: anything
//   base64(algorithm, 2 bytes | key id, 8 bytes | signature, 64 bytes)
//   trusted comment: what the global signature covers too
//   base64(signature of signature | trusted comment, 64 bytes)
//
// Algorithm "ED" signs BLAKE2b-512 of the file; "Ed", the legacy one, the file itself.
#pragma once

#include "artifact/trust.h"

namespace trellis {

using MinisignKeyId = std::array<std::uint8_t, 8>;

struct MinisignSignature {
  bool prehashed = true;
  MinisignKeyId key_id{};
  SignatureBytes signature{};
  std::string trusted_comment;
  SignatureBytes global_signature{};
};

inline constexpr std::size_t kMaxSignatureText = 16384; // bytes of FILE.sig; minisign's comments end at 8 KiB

// Error "signature_malformed", `where` = "line N".
Result<MinisignSignature> parse_minisign(std::string_view text);
// `untrusted_comment` and the trusted one hold no line breaks.
std::string format_minisign(const MinisignSignature &signature, std::string_view untrusted_comment);

std::string format_signer(const MinisignKeyId &id, const PublicKeyBytes &key); // "RW..."
// As minisign shows it: 16 upper-case hex digits, the last byte first.
std::string key_id_text(const MinisignKeyId &id);

} // namespace trellis
