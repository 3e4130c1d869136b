// xkv1: the sealed payloads of the auth callout (03 §5).
#pragma once

#include "wire/nkeys.h"
#include <array>

namespace trellis {

using XkeyNonce = std::array<std::uint8_t, 24>;

// With a random nonce. Error: "nkey_*" when `recipient_public` is no X... key.
Result<Bytes> xkey_seal(const NkeySeed &sender, std::string_view recipient_public, ByteView plaintext);
Result<Bytes> xkey_seal(const NkeySeed &sender, std::string_view recipient_public, ByteView plaintext,
                        const XkeyNonce &nonce);
// Errors: "xkey_invalid" (too short, wrong magic, bad sender key), "xkey_failed" (authentication).
Result<Bytes> xkey_open(const NkeySeed &recipient, std::string_view sender_public, ByteView sealed);

} // namespace trellis
