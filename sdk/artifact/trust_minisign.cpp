#include "artifact/trust_minisign.h"

#include <algorithm>

namespace trellis {
namespace {

constexpr std::string_view kLegacy = "Ed";
constexpr std::string_view kPrehashed = "ED";
constexpr std::string_view kUntrusted = "untrusted comment: ";
constexpr std::string_view kTrusted = "trusted comment: ";
constexpr std::size_t kSignatureRecord = 2 + 8 + 64;
constexpr std::size_t kKeyRecord = 2 + 8 + 32;

// Exactly the base64 that an encoder writes, for exactly `size` bytes: one text for one value.
std::optional<Bytes> decode_exact(std::string_view text, std::size_t size) {
  auto bytes = base64url_decode(text);
  if (!bytes || bytes->size() != size || base64_padded(*bytes) != text) return {};
  return bytes;
}

// The next line of `rest` without its end, LF or CRLF.
std::string_view take_line(std::string_view &rest) {
  const auto end = std::min(rest.find('\n'), rest.size());
  auto line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

tl::unexpected<Error> malformed(int line, std::string message, std::string expected) {
  return fail("signature_malformed", "line " + std::to_string(line), std::move(message), std::move(expected));
}

// What a terminal would act on doesn't belong into a comment that gets printed. minisign itself writes tabs.
bool is_printable(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
}

template <std::size_t N>
void copy(const Bytes &from, std::size_t offset, std::array<std::uint8_t, N> &into) {
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), N, into.begin());
}

template <class... Parts>
Bytes concatenate(const Parts &...parts) {
  Bytes out;
  out.reserve((parts.size() + ...));
  (out.insert(out.end(), parts.begin(), parts.end()), ...);
  return out;
}

} // namespace

Result<MinisignSignature> parse_minisign(std::string_view text) {
  if (text.size() > kMaxSignatureText)
    return malformed(1, "the signature has " + std::to_string(text.size()) + " bytes",
                     "at most " + std::to_string(kMaxSignatureText));
  if (!take_line(text).starts_with(kUntrusted)) return malformed(1, "no minisign signature", "an untrusted comment");

  MinisignSignature out;
  const auto record = decode_exact(take_line(text), kSignatureRecord);
  const auto algorithm = record ? as_text(*record).substr(0, 2) : std::string_view{};
  if (algorithm != kPrehashed && algorithm != kLegacy)
    return malformed(2, "no signature", "base64 of \"ED\" or \"Ed\", key id and signature");
  out.prehashed = algorithm == kPrehashed;
  copy(*record, 2, out.key_id);
  copy(*record, 10, out.signature);

  const auto comment = take_line(text);
  if (!comment.starts_with(kTrusted) || !is_printable(comment)) return malformed(3, "wrong text", "a trusted comment");
  out.trusted_comment = comment.substr(kTrusted.size());

  const auto global = decode_exact(take_line(text), out.global_signature.size());
  if (!global) return malformed(4, "no signature", "base64 of a signature");
  copy(*global, 0, out.global_signature);
  if (!text.empty()) return malformed(5, "more than a signature", "the end of the file");
  return out;
}

std::string format_minisign(const MinisignSignature &signature, std::string_view untrusted_comment) {
  const auto record = concatenate(signature.prehashed ? kPrehashed : kLegacy, signature.key_id, signature.signature);
  std::string out(kUntrusted);
  out.append(untrusted_comment).append("\n");
  out.append(base64_padded(record)).append("\n");
  out.append(kTrusted).append(signature.trusted_comment).append("\n");
  out.append(base64_padded(signature.global_signature)).append("\n");
  return out;
}

std::string format_signer(const MinisignKeyId &id, const PublicKeyBytes &key) {
  return base64_padded(concatenate(kLegacy, id, key));
}

std::string key_id_text(const MinisignKeyId &id) {
  Bytes reversed(id.rbegin(), id.rend());
  std::string text = hex(reversed);
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

Result<SignerKey> parse_signer(std::string_view text) {
  const auto record = decode_exact(text, kKeyRecord);
  if (!record || !as_text(*record).starts_with(kLegacy))
    return fail("signer_invalid", std::string(text.substr(0, 64)), "no minisign public key",
                "56 characters of base64 that begin with RW");
  SignerKey out;
  copy(*record, 2, out.id);
  copy(*record, 10, out.key);
  out.text = text;
  return out;
}

} // namespace trellis
