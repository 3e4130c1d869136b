// What only one type of session has, as JSON: the column `record` of a session's row.
//
// As JSON, not as columns of three tables: it is read and written as a whole, and what sessions are found by (user,
// grant, instance, last use) is in columns beside it.
#pragma once

#include "store/sessions.h"
#include <string>
#include <string_view>

namespace trellis::auth {

std::string_view session_type(const Session &session); // "user" | "service" | "device"
std::string session_record(const Session &session);
// Sets `session.of`. Error "session_corrupted", where = the session's key.
Result<void> read_session_record(Session &session, std::string_view type, std::string_view record);

} // namespace trellis::auth
