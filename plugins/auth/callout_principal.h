// Who is this, and what may they do: paths A to E of 03 §6.4, as one function of the stored records.
//
// Nothing is changed here. What a successful connection changes is part of the result, so that the order of effects
// (03 §6.7) is written in one place.
#pragma once

#include "callout_request.h"
#include "contracts/authority.h"
#include "core.h"
#include "store/authority.h"
#include "store/deployments.h"
#include "store/sessions.h"
#include "wire/connect_token.h"
#include <optional>
#include <string>

namespace trellis::auth {

struct Principal {
  Session session; // a user's as stored; a service's or device's as it is to be stored
  // Whether a record was there, and whether more than lastAuth differs from it.
  bool had_session = false, changed = false;
  std::optional<Activation> activation; // to be stored: activatedAt was missing (path C)
  Permissions permissions;
};

struct ConnectDecision {
  std::string denial; // a code of 03 §6.4, "" with `principal`
  std::optional<Principal> principal;
  std::optional<Offer> offer; // path A's, to be refreshed even when a later step denies
};

// Errors: "session_corrupted", "storage".
Result<ConnectDecision> resolve_principal(Core &core, Reader &db, const ConnectToken &token, UnixMs now);

} // namespace trellis::auth
