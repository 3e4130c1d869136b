// Who is behind a session, and is it still welcome: the principal check of 03 §6.4 E, and what an account may do.
#pragma once

#include "contracts/authority_plan.h"
#include "core.h"
#include "store/authority.h"
#include "store/deployments.h"
#include "store/sessions.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// Stored groups, as resolve_capabilities wants them.
Groups stored_groups(Reader &db);
std::vector<std::string> resolved_capabilities(Reader &db, const User &user); // 02 §14.2, sorted

// The materialization of an enabled authority, if it is current at the authority's version (03 §6.4 A6, A7, C8, C9).
enum class AuthorityState { current, disabled, behind };
struct CurrentAuthority {
  AuthorityState state =
      AuthorityState::disabled; // disabled: also missing; behind: missing, failed or of another version
  std::optional<Materialization> materialization; // with `current` only
};
CurrentAuthority current_authority(Reader &db, std::string_view deployment_id);

// A reason of 03 §6.4 E / 05 §3.2, or "" when all is well. `for_callout` adds the authority rules A6, A7.
std::string check_principal(Reader &db, const Session &session, bool for_callout);
// The error's context for such a reason (05 §3.2), a JSON object.
std::string principal_context(const Session &session, std::string_view reason);

// userId, trellisId or instanceId: the scope of the session's presence records (03 §9.1).
const std::string &scope_id_of(const Session &session);

// The caller object of 03 §10 (06 §4.5) as JSON, and what goes with it.
struct CallerFacts {
  std::string json;
  std::vector<std::string> capabilities;
  std::vector<std::string> publish_subjects; // users and devices
  bool any_subject = false;                  // services
};
CallerFacts caller_facts(Reader &db, const Session &session);

} // namespace trellis::auth
