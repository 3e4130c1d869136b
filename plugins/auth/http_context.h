// What the HTTP routes share. Internal: routes are free functions over it, one file an idea.
#pragma once

#include "connections.h"
#include "core.h"
#include "http_api.h"
#include "http_rate_limit.h"
#include "http_reply.h"
#include "http_router.h"
#include "login_flow.h"
#include "passwords.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

struct HttpContext {
  Core &core;
  DeploymentAuthority &authority;
  Connections &connections;
  LoginFlows flows;
  PasswordPool passwords;
  RateLimiter limiter;
  const std::string sentinel_json, transports_json;
};

// An error is an unexpected failure: logged, and 500 for the client.
using RouteResult = Result<HttpResponse>;

// login_requests: POST /auth/requests (04 §8).
RouteResult start_login(HttpContext &context, const HttpRequest &request);
// login_state: GET /auth/flow/:id (04 §10.1).
RouteResult login_state(HttpContext &context, const HttpRequest &request, const std::string &flow_id);
// login_local: POST /auth/login/local (04 §10.2).
RouteResult login_with_password(HttpContext &context, const HttpRequest &request);
// login_approval: POST /auth/flow/:id/approval (04 §10.4).
RouteResult approve_login(HttpContext &context, const HttpRequest &request, const std::string &flow_id);
// login_bind: POST /auth/flow/:id/bind (04 §10.5).
RouteResult bind_login(HttpContext &context, const HttpRequest &request, const std::string &flow_id);
// http_sessions: POST /bootstrap/client (04 §6), POST /auth/sessions/logout (04 §12).
RouteResult bootstrap_client(HttpContext &context, const HttpRequest &request);
RouteResult logout_session(HttpContext &context, const HttpRequest &request);
// account_flow: GET /auth/account-flow/:id (04 §13.1); account_password: POST .../local-password (04 §13.2).
RouteResult account_flow_state(HttpContext &context, const std::string &flow_id);
RouteResult set_local_password(HttpContext &context, const HttpRequest &request, const std::string &flow_id);

// [may block] A hash on the pool. nullopt: the pool is full (503).
std::optional<Credential> hash_on_pool(HttpContext &context, std::string_view password, std::string_view identity_id);
std::optional<bool> verify_on_pool(HttpContext &context, const Credential &credential, std::string_view password);
HttpResponse busy_reply();

} // namespace trellis::auth
