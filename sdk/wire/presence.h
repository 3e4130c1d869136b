// Keys of the presence records in bucket `trellis_connections` (03 §9.1): who is connected, by which user nkey.
//
//   <sessionKey>.b64_<base64url(scope id)>.<user_nkey>
//
// The scope id is text from outside (a user id), so it travels encoded: a dot in it would change the key's shape.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trellis {

inline constexpr char kConnectionsBucket[] = "trellis_connections";

struct ConnectionKey {
  std::string session_key;
  std::string scope_id; // userId, trellisId or instanceId
  std::string user_nkey;
};

std::string format_connection_key(const ConnectionKey &key);
// nullopt for a key of another shape: readers skip those.
std::optional<ConnectionKey> parse_connection_key(std::string_view text);

// Filters for watching and listing.
std::string connections_of_session(std::string_view session_key);
std::string connections_of_user_nkey(std::string_view user_nkey);
std::string connections_of_scope(std::string_view scope_id);

} // namespace trellis
