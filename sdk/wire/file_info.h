// What is known of a stored object: FileInfo of transfers (07 B5) and StoreInfo of object stores (09 C4), which are the
// same.
#pragma once

#include "contracts/encoding.h"
#include "contracts/json.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

using TextMap = std::map<std::string, std::string>;

struct FileInfo {
  std::string key;
  std::int64_t size = 0;
  std::string updated_at;
  std::optional<std::string> digest; // "SHA-256=<base64url with padding>"
  std::optional<std::string> content_type;
  TextMap metadata; // without the entry that holds the content type; written also when empty
  bool operator==(const FileInfo &) const = default;
};
std::string to_json(const FileInfo &info);
// Error "invalid_record". Unknown members are ignored.
Result<FileInfo> parse_file_info(std::string_view text);

// The digest of an object's content, and of the SHA-256 that a writer counted on the way.
std::string object_digest(std::string_view content);
std::string object_digest_of(ByteView sha256);

} // namespace trellis
