// Text forms of bytes that the whole protocol uses: base64url without padding, hex, SHA-256 (00-index "Common
// formats").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using Sha256 = std::array<std::uint8_t, 32>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

std::string base64url(ByteView bytes);
std::string base64_padded(ByteView bytes); // standard alphabet with padding
// Lenient as 03 §1 asks of servers: both alphabets, optional padding, non-zero trailing bits. nullopt on bad
// characters.
std::optional<Bytes> base64url_decode(std::string_view text);

std::string hex(ByteView bytes);
std::optional<Bytes> hex_decode(std::string_view text);

Sha256 sha256(ByteView bytes);
// base64url(SHA-256(text)): contract digests (01 §6), payload hashes, hashes of opaque tokens (03 §1).
std::string sha256_base64url(std::string_view text);

} // namespace trellis
