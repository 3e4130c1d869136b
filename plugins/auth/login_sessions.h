// User sessions as the HTTP routes make and find them.
#pragma once

#include "http_context.h"
#include "login_flow.h"
#include "store/sessions.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

// nullopt: none, or expired. An unreadable one counts as none: a login replaces it.
Result<std::optional<Session>> live_session(Core &core, std::string_view session_key);

// Stores the contract when it is new, the account's names when a login brought some, and the session (03 §8.3). The
// response is the bound body of 04 §8.3.
RouteResult store_session(HttpContext &context, std::string_view session_key, UserSession fresh,
                          const Manifest &contract, const PendingLogin *login);

} // namespace trellis::auth
