#include "wire/kv_keys.h"

#include <algorithm>

namespace trellis {

bool is_kv_key(std::string_view key) {
  const bool allowed = std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '/' ||
           c == '=' || c == '.' || c == '_';
  });
  return allowed && !key.empty() && key.front() != '.' && key.back() != '.' && key.find("..") == std::string_view::npos;
}

std::string kv_stream(std::string_view bucket) {
  return std::string("KV_").append(bucket);
}

std::string kv_subject(std::string_view bucket, std::string_view key) {
  return std::string("$KV.").append(bucket).append(".").append(key);
}

std::string_view kv_key_of(std::string_view bucket, std::string_view subject) {
  const std::string prefix = kv_subject(bucket, "");
  return subject.starts_with(prefix) ? subject.substr(prefix.size()) : std::string_view();
}

bool is_kv_marker(std::string_view operation, std::string_view marker_reason) {
  return operation == kv_header::kDelete || operation == kv_header::kPurge || marker_reason == kv_header::kMaxAge;
}

} // namespace trellis
