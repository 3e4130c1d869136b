#include "wire/file_info.h"

#include "wire/transfer_codec.h"

namespace trellis {

FileInfo read_file_info(const RecordReader &reader) {
  FileInfo info;
  info.key = reader.non_empty("key");
  info.size = reader.integer("size");
  info.updated_at = reader.time("updatedAt");
  info.digest = reader.optional_text("digest");
  info.content_type = reader.optional_non_empty("contentType");
  info.metadata = reader.text_map("metadata");
  return info;
}

std::string to_json(const FileInfo &info) {
  JsonObjectText out;
  out.text("key", info.key).number("size", info.size).text("updatedAt", info.updated_at);
  add_text(out, "digest", info.digest);
  add_text(out, "contentType", info.content_type);
  return out.json("metadata", json_of(info.metadata)).str();
}

Result<FileInfo> parse_file_info(std::string_view text) {
  return read_record(text, read_file_info);
}

std::string object_digest(std::string_view content) {
  return object_digest_of(sha256(as_bytes(content)));
}

// 32 bytes are 43 characters, which one '=' fills up.
std::string object_digest_of(ByteView sha256) {
  return "SHA-256=" + base64url(sha256) + "=";
}

} // namespace trellis
