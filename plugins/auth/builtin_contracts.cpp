#include "builtin_contracts.h"

#include <map>
#include <rapidjson/document.h>

// Written by contracts/builtin.py.
extern "C" const unsigned char trellis_auth_builtin_manifests[];
extern "C" const std::size_t trellis_auth_builtin_manifests_size;

namespace trellis::auth {
namespace {

Result<JsonDocument> parsed_array() {
  auto array = parse_json(builtin_manifests_text());
  if (array && !array->IsArray()) return fail("builtin_contracts", {}, "is no array", "the built-in manifests");
  return array;
}

std::map<std::string, std::string, std::less<>> shipped_by_digest() {
  std::map<std::string, std::string, std::less<>> by_digest;
  const auto array = parsed_array();
  if (!array) return by_digest;
  for (const auto &value : array->GetArray())
    if (const auto manifest = Manifest::validate(value)) by_digest[manifest->digest()] = to_json(value);
  return by_digest;
}

} // namespace

std::string_view builtin_manifests_text() {
  return {reinterpret_cast<const char *>(trellis_auth_builtin_manifests), trellis_auth_builtin_manifests_size};
}

Result<std::vector<Manifest>> builtin_contracts() {
  const auto array = parsed_array();
  if (!array) return tl::make_unexpected(array.error());
  std::vector<Manifest> manifests;
  for (const auto &value : array->GetArray()) {
    auto manifest = Manifest::validate(value);
    if (!manifest) return tl::make_unexpected(manifest.error());
    manifests.push_back(std::move(*manifest));
  }
  return manifests;
}

std::string shipped_manifest(std::string_view digest) {
  static const auto kByDigest = shipped_by_digest(); // validating them takes longer than a request should
  const auto found = kByDigest.find(digest);
  return found == kByDigest.end() ? std::string() : found->second;
}

} // namespace trellis::auth
