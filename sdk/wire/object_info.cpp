#include "wire/object_info.h"

#include "contracts/encoding.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"

namespace trellis {
namespace {

std::string padded(std::string text) {
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string store_prefix(std::string_view store, std::string_view kind) {
  return std::string("$O.").append(store).append(kind);
}

void read_options(const RecordReader &options, ObjectMeta &meta) {
  meta.max_chunk_size = options.optional_integer("max_chunk_size");
  if (options.has("link")) options.report("link", "no link");
}

ObjectMeta read_meta(const RecordReader &reader) {
  ObjectMeta meta;
  meta.name = reader.non_empty("name");
  meta.description = reader.optional_text("description").value_or("");
  meta.bucket = reader.text("bucket");
  meta.nuid = reader.text("nuid");
  meta.size = reader.integer("size");
  meta.chunks = reader.integer("chunks");
  meta.mtime = reader.time("mtime");
  meta.digest = reader.optional_text("digest").value_or("");
  meta.deleted = reader.optional_flag("deleted").value_or(false);
  if (reader.has("options")) read_options(reader.object("options"), meta);
  meta.metadata = reader.optional_text_map("metadata");
  return meta;
}

} // namespace

std::string to_json(const ObjectMeta &meta) {
  JsonObjectText out;
  out.text("name", meta.name).text("description", meta.description).text("bucket", meta.bucket);
  out.text("nuid", meta.nuid).number("size", meta.size).number("chunks", meta.chunks).text("mtime", meta.mtime);
  out.text("digest", meta.digest).flag("deleted", meta.deleted);
  if (meta.max_chunk_size) out.json("options", JsonObjectText().number("max_chunk_size", *meta.max_chunk_size).str());
  if (meta.metadata) out.json("metadata", json_of(*meta.metadata));
  return out.str();
}

Result<ObjectMeta> parse_object_meta(std::string_view text) {
  return read_record(text, read_meta, Nulls::are_absent);
}

ObjectMeta deleted_meta(const ObjectMeta &meta, std::string now) {
  ObjectMeta marker = meta;
  marker.deleted = true;
  marker.size = 0;
  marker.chunks = 0;
  marker.digest.clear();
  marker.mtime = std::move(now);
  return marker;
}

std::optional<FileInfo> file_info_of(const ObjectMeta &meta) {
  if (meta.deleted) return std::nullopt;
  FileInfo info;
  info.key = meta.name;
  info.size = meta.size;
  info.updated_at = meta.mtime;
  if (!meta.digest.empty()) info.digest = meta.digest;
  info.metadata = meta.metadata.value_or(TextMap());
  const auto type = info.metadata.find(kContentTypeEntry);
  if (type == info.metadata.end()) return info;
  if (!type->second.empty()) info.content_type = type->second;
  info.metadata.erase(type);
  return info;
}

std::optional<TextMap> object_metadata(std::optional<TextMap> metadata,
                                       const std::optional<std::string> &content_type) {
  if (!content_type) return metadata;
  if (!metadata) metadata.emplace();
  metadata->insert_or_assign(kContentTypeEntry, *content_type);
  return metadata;
}

std::string object_stream_name(std::string_view store) {
  return std::string("OBJ_").append(store);
}

std::string chunk_subject(std::string_view store, std::string_view nuid) {
  return store_prefix(store, ".C.").append(nuid);
}

std::string meta_subject(std::string_view store, std::string_view object_name) {
  return store_prefix(store, ".M.").append(padded(base64url(as_bytes(object_name))));
}

std::optional<std::string> object_name_of(std::string_view store, std::string_view subject) {
  const std::string prefix = store_prefix(store, ".M.");
  if (!subject.starts_with(prefix)) return std::nullopt;
  const auto name = base64url_decode(subject.substr(prefix.size()));
  if (!name || name->empty() || !is_utf8(as_text(*name))) return std::nullopt;
  return std::string(as_text(*name));
}

} // namespace trellis
