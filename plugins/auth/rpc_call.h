// One call of a control-plane RPC, as its handler sees it, and what becomes of it (05 §2).
//
// Handlers are free functions from an already proven, authorised and schema-valid request to a JSON text or an error.
// The two rules about who calls (05 §2.4) are functions here, because the marks A and U differ in how they refuse: A
// returns its AuthError, U's was thrown and reaches the caller as an UnexpectedError.
#pragma once

#include "connections.h"
#include "core.h"
#include "deployment_authority.h"
#include "validation.h"
#include "wire/error_envelope.h"
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// What handlers act on. References outlive every call.
struct RpcContext {
  Core &core;
  Connections &connections;
  DeploymentAuthority &authority;
  Validation &validation;
  Transport &trellis; // that the replies go out on
};

struct RpcRequest {
  std::string_view name, input, caller, session_key, request_id;
};

struct RpcAnswer {
  std::string output;          // JSON
  std::function<void()> after; // runs when the reply is on its way; may be empty
};
using RpcOutcome = tl::expected<RpcAnswer, ErrorEnvelope>;
using RpcHandler = RpcOutcome (*)(RpcContext &, const RpcRequest &);

// The members of the caller object (06 §4.5) that handlers ask for.
struct RpcCaller {
  std::string type; // "user" | "service" | "device"
  std::string user_id;
  std::vector<std::string> capabilities;
  Decider decider; // of a user
};
RpcCaller read_caller(std::string_view caller);

// A: a user who holds `admin`.
tl::expected<RpcCaller, ErrorEnvelope> require_admin(const RpcRequest &request);
// U: a user.
tl::expected<RpcCaller, ErrorEnvelope> require_user(const RpcRequest &request);

// What an Error of the domain becomes: code "validation" a ValidationError at `where`, "auth" an AuthError with that
// reason, a code that is a reason an AuthError too, all with their details as context; everything else an
// UnexpectedError.
ErrorEnvelope envelope_of(const Error &error);
RpcOutcome outcome_of(Result<std::string> result);
RpcOutcome success_of(const Result<bool> &result); // {success}

} // namespace trellis::auth
