// Request proofs and freshness (03 §11.0, §11.3).
#pragma once

#include "contracts/encoding.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis {

class SessionKey;

inline constexpr std::int64_t kFreshnessSeconds = 30;
// -30 <= now - iat <= 30; `iat` as it was sent, not rounded.
bool is_fresh(std::int64_t now, double iat);

// The bytes whose SHA-256 is signed.
Bytes request_proof_input(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                          std::int64_t iat, std::string_view request_id);
Sha256 request_proof_digest(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                            std::int64_t iat, std::string_view request_id);
std::string make_request_proof(const SessionKey &key, std::string_view subject, const Sha256 &payload_hash,
                               std::int64_t iat, std::string_view request_id);
bool verify_request_proof(std::string_view session_key, std::string_view subject, const Sha256 &payload_hash,
                          std::int64_t iat, std::string_view request_id, std::string_view proof);

} // namespace trellis
