// The few texts of the NATS client protocol that this folder reads or writes itself. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trellis {

// What an asynchronous -ERR says about permissions.
struct PermissionViolation {
  enum class Action { publish, publish_reply, subscribe };
  Action action = Action::publish;
  std::string subject; // publish_reply: the reply subject
};

// Reads nats-server's text, e.g. `Permissions Violation for Publish to "a.b"`; nullopt for any other error.
std::optional<PermissionViolation> parse_permission_violation(std::string_view text);

// True for the -ERR with which the server ends a connection whose credentials have expired or were revoked.
bool tells_expiry(std::string_view text);

// Escaped as the inside of a JSON string: nats.c writes a token handler's text into CONNECT as it is.
std::string escape_token(std::string_view token);

// The server's URL without user and password, for errors and logs.
std::string without_userinfo(std::string_view url);

// A server reads a line of at most 4,096 bytes (max_control_line) and closes the connection at a longer one; subject
// and reply have to fit into it.
inline constexpr std::size_t kMaxSubject = 1900;
// False for what would break the protocol's lines or name nothing: empty, too long, blanks, control characters, empty
// tokens.
bool is_sendable_subject(std::string_view subject);
bool is_sendable_header(std::string_view name, std::string_view value);

} // namespace trellis
