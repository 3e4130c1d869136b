#include "wire/transfer_grant.h"

#include "wire/session_key.h"
#include "wire/transfer_codec.h"
#include "wire/ulid.h"
#include <algorithm>

namespace trellis {
namespace {

std::optional<TransferDirection> direction_of(std::string_view name) {
  if (name == "send") return TransferDirection::send;
  return name == "receive" ? std::optional(TransferDirection::receive) : std::nullopt;
}

} // namespace

TransferGrant read_transfer_grant(const RecordReader &reader) {
  TransferGrant grant;
  reader.literal("type", "TransferGrant");
  const bool alias = !reader.has("direction") && reader.has("kind");
  grant.direction = reader.word(alias ? "kind" : "direction", direction_of, "send or receive");
  grant.service = reader.non_empty("service");
  grant.session_key = reader.non_empty("sessionKey");
  grant.transfer_id = reader.non_empty("transferId");
  grant.subject = reader.non_empty("subject");
  grant.expires_at = reader.time("expiresAt");
  grant.chunk_bytes = reader.integer("chunkBytes", 1);
  if (grant.direction == TransferDirection::receive) {
    grant.info = read_file_info(reader.object("info"));
    return grant;
  }
  grant.max_bytes = reader.optional_integer("maxBytes", 1);
  grant.content_type = reader.optional_non_empty("contentType");
  grant.metadata = reader.optional_text_map("metadata");
  return grant;
}

std::string to_json(const TransferGrant &grant) {
  const bool send = grant.direction == TransferDirection::send;
  JsonObjectText out;
  out.text("type", "TransferGrant").text("direction", send ? "send" : "receive").text("service", grant.service);
  out.text("sessionKey", grant.session_key).text("transferId", grant.transfer_id).text("subject", grant.subject);
  out.text("expiresAt", grant.expires_at).number("chunkBytes", grant.chunk_bytes);
  if (!send) {
    if (grant.info) out.json("info", to_json(*grant.info));
    return out.str();
  }
  add_number(out, "maxBytes", grant.max_bytes);
  add_text(out, "contentType", grant.content_type);
  if (grant.metadata) out.json("metadata", json_of(*grant.metadata));
  return out.str();
}

Result<TransferGrant> parse_transfer_grant(std::string_view text) {
  return read_record(text, read_transfer_grant);
}

bool is_expired(const TransferGrant &grant, std::int64_t now_ms) {
  std::int64_t expires_ms = 0;
  return !parse_iso_time(grant.expires_at, expires_ms) || expires_ms <= now_ms;
}

std::string transfer_subject(TransferDirection direction, std::string_view service_session_key,
                             std::string_view transfer_id) {
  return std::string("transfer.v1.")
      .append(direction == TransferDirection::send ? "upload." : "download.")
      .append(key16(service_session_key))
      .append(".")
      .append(transfer_id);
}

bool is_transfer_id(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F || c == '.' || c == '*' || c == '>' || c == '/';
  });
}

} // namespace trellis
