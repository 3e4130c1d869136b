// Grants of file transfers and what they move (07 B1, B3, B5, B6).
#pragma once

#include "wire/file_info.h"
#include <cstdint>

namespace trellis {

inline constexpr std::int64_t kTransferChunkBytes = 262'144;
inline constexpr std::int64_t kTransferLifetimeMs = 60'000;

enum class TransferDirection { send, receive }; // as the caller sees it

struct TransferGrant {
  TransferDirection direction = TransferDirection::send;
  std::string service, session_key, transfer_id, subject, expires_at;
  std::int64_t chunk_bytes = kTransferChunkBytes;
  std::optional<std::int64_t> max_bytes;   // send, when limited
  std::optional<std::string> content_type; // send, when given
  std::optional<TextMap> metadata;         // send, when given
  std::optional<FileInfo> info;            // receive, always
  bool operator==(const TransferGrant &) const = default;
};
std::string to_json(const TransferGrant &grant);
// Error "invalid_record". Unknown members are ignored, and `kind` is read where `direction` is absent.
Result<TransferGrant> parse_transfer_grant(std::string_view text);

// Over as soon as `now_ms` has come.
bool is_expired(const TransferGrant &grant, std::int64_t now_ms);

// "transfer.v1.upload.<key16>.<transferId>" and "transfer.v1.download....", of the service instance's session key.
std::string transfer_subject(TransferDirection direction, std::string_view service_session_key,
                             std::string_view transfer_id);
// One token without . * > / white space and control characters.
bool is_transfer_id(std::string_view text);

} // namespace trellis
