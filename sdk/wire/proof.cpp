#include "wire/proof.h"

#include "wire/session_key.h"
#include <array>
#include <charconv>
#include <sodium.h>

namespace trellis {
namespace {

class DecimalText {
public:
  explicit DecimalText(std::int64_t value)
      : end_(std::to_chars(buffer_.data(), buffer_.data() + buffer_.size(), value).ptr) {}
  std::string_view view() const { return {buffer_.data(), static_cast<std::size_t>(end_ - buffer_.data())}; }

private:
  std::array<char, 24> buffer_{};
  char *end_;
};

// Calls `append` with the pieces of the input: each part preceded by its length (03 §11.3).
template <class Append>
void for_each_piece(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                    std::int64_t iat, std::string_view request_id, Append append) {
  const DecimalText iat_text(iat);
  const ByteView parts[] = {as_bytes(session_key), as_bytes(subject), payload_hash, as_bytes(iat_text.view()),
                            as_bytes(request_id)};
  for (const ByteView part : parts) {
    const auto size = static_cast<std::uint32_t>(part.size());
    const std::array<std::uint8_t, 4> prefix = {static_cast<std::uint8_t>(size >> 24),
                                                static_cast<std::uint8_t>(size >> 16),
                                                static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
    append(ByteView(prefix));
    append(part);
  }
}

} // namespace

bool is_fresh(std::int64_t now, double iat) {
  const double age = static_cast<double>(now) - iat;
  return age >= -static_cast<double>(kFreshnessSeconds) && age <= static_cast<double>(kFreshnessSeconds);
}

Bytes request_proof_input(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                          std::int64_t iat, std::string_view request_id) {
  Bytes input;
  for_each_piece(session_key, subject, payload_hash, iat, request_id,
                 [&](ByteView piece) { input.insert(input.end(), piece.begin(), piece.end()); });
  return input;
}

Sha256 request_proof_digest(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                            std::int64_t iat, std::string_view request_id) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for_each_piece(session_key, subject, payload_hash, iat, request_id,
                 [&](ByteView piece) { crypto_hash_sha256_update(&state, piece.data(), piece.size()); });
  Sha256 digest;
  crypto_hash_sha256_final(&state, digest.data());
  return digest;
}

std::string make_request_proof(const SessionKey &key, std::string_view subject, const Sha256 &payload_hash,
                               std::int64_t iat, std::string_view request_id) {
  return key.sign_digest(request_proof_digest(key.text(), subject, payload_hash, iat, request_id));
}

bool verify_request_proof(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                          std::int64_t iat, std::string_view request_id, std::string_view proof) {
  return verify_digest(session_key, request_proof_digest(session_key, subject, payload_hash, iat, request_id), proof);
}

} // namespace trellis
