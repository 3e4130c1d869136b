// How sessions begin and end, in the order of 03 §9.4: durable change and deletion in one transaction, kick, event,
// reply. Every door (bind, logout, revoke, disable) comes through here.
#pragma once

#include "connections.h"
#include "core.h"
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// 03 §8.3. `fresh` has everything but created_at. Errors: "storage".
struct BindResult {
  Session stored;
  bool replaced = false; // another principal's session was there
  bool kicked = false;
};
Result<BindResult> bind_session(Core &core, Connections &connections, Session fresh);

// Deletes the sessions (and makes `changes`, if any) in one transaction, kicks them, and publishes Sessions.Revoked for
// users and services when `revoked_by` isn't empty. Returns how many there were.
Result<std::size_t> end_sessions(Core &core, Connections &connections, const std::vector<std::string> &session_keys,
                                 std::string_view revoked_by,
                                 const std::function<Result<void>(Writer &)> &changes = {});

// Auth.Sessions.Revoke {sessionKey} (03 §9.5, 05 §6.3). False: unknown key. Errors "invalid_request", "storage".
Result<bool> revoke_session(Core &core, Connections &connections, std::string_view session_key,
                            std::string_view revoked_by);
// The first half of Auth.Sessions.Logout: the reply goes out, then Connections::kick_session with the user id as scope.
Result<bool> forget_own_session(Core &core, std::string_view session_key);
// Auth.Connections.Kick {userNkey} (03 §9.5, 05 §6.3). False: no user's or service's connection was among them. Error
// "invalid_request".
Result<bool> kick_connections(Core &core, Connections &connections, std::string_view user_nkey,
                              std::string_view kicked_by);

} // namespace trellis::auth
