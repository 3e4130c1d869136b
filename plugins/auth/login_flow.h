// Login flows and who has identified themself in them: two KV buckets of the AUTH account (04 §8.3, §10.6, §18).
//
// A flow is known by an id that only its owner was told. Identifying stores a pending login under the hash of a random
// token and the token in the flow; binding takes the pending login away with a compare-and-delete on its revision, so
// that of two binds one wins. Rejected: one record for both, whose deletion would also lose where to send a browser
// that comes back late.
#pragma once

#include "contracts/authority_plan.h"
#include "store/sessions.h"
#include "transport/kv.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

struct LoginFlow {
  std::string flow_id, session_key;
  std::string redirect_to; // normalised
  AppIdentity app;
  std::string contract;               // normalized manifest
  std::optional<std::string> context; // JSON object
  std::string portal_id;
  UnixMs created_at = 0, expires_at = 0;
  std::optional<std::string> auth_token; // of the pending login
  std::uint64_t revision = 0;
};

struct PendingLogin {
  std::string user_id;
  IdentityRef identity;
  std::optional<std::string> email, name, image;
  std::string session_key, redirect_to;
  AppIdentity app;
  std::string contract; // normalized manifest
  UnixMs created_at = 0;
  std::string token_hash;
  std::uint64_t revision = 0;

  std::string email_or_identity() const { return email.value_or(identity.provider + ":" + identity.subject); }
  std::string name_or_subject() const { return name.value_or(identity.subject); }
};

// [may block] Errors are those of Kv; an unreadable record counts as none.
class LoginFlows {
public:
  explicit LoginFlows(Transport &auth);

  Result<void> start(const LoginFlow &flow);
  Result<std::optional<LoginFlow>> find(std::string_view flow_id);
  // Makes `who` the pending login of the flow, in place of another one. False: the flow is gone.
  Result<bool> identify(std::string_view flow_id, const PendingLogin &who);
  Result<std::optional<PendingLogin>> pending(const LoginFlow &flow);
  // Deletes it, if nobody was faster.
  Result<bool> take(const PendingLogin &login);

private:
  Kv flows_, pending_;
};

} // namespace trellis::auth
