// The detached login over HTTP (10 §2.1, 04 §8 and §10): the person signs in with any browser, anywhere; the CLI asks
// the control plane until they have. No browser is opened and nothing listens on this machine.
//
// The steps one by one, so that a caller decides what to show between them.
#pragma once

#include "contracts/result.h"
#include "http/http_client.h"
#include "wire/secret.h"
#include "wire/session_key.h"
#include <chrono>
#include <string>
#include <string_view>
#include <variant>

namespace trellis::cli {

// Of a route of the control plane at `url`, as it was given to `login`.
std::string route_url(std::string_view url, std::string_view path);

struct LoginRequest {
  std::string_view url; // of the control plane
  const SessionKey &key;
  std::string_view contract; // the manifest of the participant that signs in, JSON
};

// The session exists: what it takes to connect (04 §8.3, §10.5).
struct BoundSession {
  std::string nats_servers; // comma-joined
  std::string sentinel_jwt;
  SecretText sentinel_seed;
  std::string expires;
};
// A person has to sign in first.
struct StartedFlow {
  std::string flow_id, login_url;
};

struct LoginTiming {
  std::chrono::milliseconds poll{2000}, limit{300'000};
};

// Errors of all three: those of HttpClient, "login_failed" (the control plane said no; the message has its words),
// "login_answer_invalid".
Result<std::variant<StartedFlow, BoundSession>> request_login(HttpClient &http, const LoginRequest &request);
// [may block] Until the flow can be bound. Further errors: "login_timeout", "login_expired", "login_denied".
Result<void> wait_for_login(HttpClient &http, std::string_view url, std::string_view flow_id,
                            const LoginTiming &timing = {});
Result<BoundSession> bind_login(HttpClient &http, std::string_view url, const SessionKey &key,
                                std::string_view flow_id);

} // namespace trellis::cli
