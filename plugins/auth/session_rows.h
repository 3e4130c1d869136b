// How sessions and connections look in lists (03 §9.6, 05 §6.3).
#pragma once

#include "connections.h"
#include "store/sessions.h"
#include <string>
#include <string_view>

namespace trellis::auth {

// <actor>.<sessionKey>, what rows are sorted by.
std::string session_row_key(const Session &session);
std::string session_row(const Session &session);
std::string connection_row_key(const Session &session, const ConnectionRecord &record);
std::string connection_row(const Session &session, const ConnectionRecord &record);

// 05 §6.3: the account of a user, the stored principal id of a device or service.
std::string_view listed_under(const Session &session);

std::string identity_object(const IdentityRef &identity); // {identityId, provider, subject}

} // namespace trellis::auth
