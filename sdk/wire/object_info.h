// Object stores on JetStream: the meta message of an object, and the subjects of metas and chunks (09 C3).
//
// The layout is NATS's own, shared with its other clients: the digest and the encoded name carry padding, unlike
// everything else in the protocol.
#pragma once

#include "wire/file_info.h"

namespace trellis {

inline constexpr std::int64_t kObjectChunkBytes = 131'072; // that we write; readers assume no size
inline constexpr char kContentTypeEntry[] = "__trellis_content_type";

struct ObjectMeta {
  std::string name, bucket, nuid;
  std::string description; // "" also where a writer has null
  std::int64_t size = 0, chunks = 0;
  std::string mtime;
  std::string digest; // "" in delete markers
  bool deleted = false;
  std::optional<std::int64_t> max_chunk_size; // of options
  std::optional<TextMap> metadata;            // with the entry that holds the content type
  bool operator==(const ObjectMeta &) const = default;
};
std::string to_json(const ObjectMeta &meta);
// Error "invalid_record", also for a link, which Trellis never writes. Unknown members are ignored.
Result<ObjectMeta> parse_object_meta(std::string_view text);

// The meta that deletes the object: of the same nuid, but empty.
ObjectMeta deleted_meta(const ObjectMeta &meta, std::string now);
// nullopt for a deleted object.
std::optional<FileInfo> file_info_of(const ObjectMeta &meta);
// `metadata` with the content type put in; nullopt when there is nothing of both.
std::optional<TextMap> object_metadata(std::optional<TextMap> metadata, const std::optional<std::string> &content_type);

std::string object_stream_name(std::string_view store);                         // "OBJ_<name>"
std::string chunk_subject(std::string_view store, std::string_view nuid);       // "$O.<name>.C.<nuid>"
std::string meta_subject(std::string_view store, std::string_view object_name); // "$O.<name>.M.<base64url with =>"
// The object's name in a meta subject of the store; nullopt for another subject.
std::optional<std::string> object_name_of(std::string_view store, std::string_view subject);

} // namespace trellis
