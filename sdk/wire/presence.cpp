#include "wire/presence.h"

#include "contracts/encoding.h"
#include "contracts/json_text.h"

namespace trellis {
namespace {

constexpr std::string_view kScopePrefix = "b64_";

std::string scope_token(std::string_view scope_id) {
  return std::string(kScopePrefix).append(base64url(as_bytes(scope_id)));
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_sequence(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::optional<std::string> scope_of(std::string_view token) {
  if (!token.starts_with(kScopePrefix)) return std::nullopt;
  const auto bytes = base64url_decode(token.substr(kScopePrefix.size()));
  if (!bytes || bytes->empty() || !is_utf8(as_text(*bytes))) return std::nullopt;
  return std::string(as_text(*bytes));
}

} // namespace

std::string format_connection_key(const ConnectionKey &key) {
  return std::string(key.session_key).append(".").append(scope_token(key.scope_id)).append(".").append(key.user_nkey);
}

std::optional<ConnectionKey> parse_connection_key(std::string_view text) {
  const auto first = text.find('.');
  const auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  auto scope_id = scope_of(text.substr(first + 1, second - first - 1));
  if (!scope_id || first == 0 || second + 1 == text.size()) return std::nullopt;
  return ConnectionKey{std::string(text.substr(0, first)), std::move(*scope_id), std::string(text.substr(second + 1))};
}

std::string connections_of_session(std::string_view session_key) {
  return std::string(session_key).append(".>");
}

std::string connections_of_user_nkey(std::string_view user_nkey) {
  return std::string("*.*.").append(user_nkey);
}

std::string connections_of_scope(std::string_view scope_id) {
  return std::string("*.").append(scope_token(scope_id)).append(".*");
}

} // namespace trellis
