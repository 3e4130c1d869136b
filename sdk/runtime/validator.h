// Validator: the decision of Auth.Requests.Validate (03 §10), wherever it is made.
//
// A service asks it for each proven request. Two implementations here: LocalValidator decides in process from a
// directory of sessions (static policy; the auth plugin later brings its own through trellis.validator/1), and
// RequestValidator asks a control plane over NATS as existing services do. Both answer with the same types, so the
// request path doesn't know which one it has.
#pragma once

#include "contracts/encoding.h"
#include "contracts/result.h"
#include "wire/error_envelope.h"
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

class ReplayCache;
class SessionKey;
class Transport;

// Who a session key belongs to. Immutable and shared: one object a session, not one a request.
struct CallerSession {
  std::string caller;       // JSON object (06 §4.5)
  std::string inbox_prefix; // "_INBOX.<key16>"
  std::vector<std::string> capabilities;
  std::vector<std::string> publish_subjects; // a user or device may only call subjects that match one of these
  bool any_subject = false;                  // services: their NATS permissions are the subject rule
};

// One request, as its receiver saw it. The views live during the call.
struct ValidationRequest {
  std::string_view session_key;
  std::string_view proof;
  std::string_view subject;
  Sha256 payload_hash;
  std::int64_t iat = 0;
  std::string_view request_id;
  const std::vector<std::string> &capabilities; // that the surface requires
  bool proof_checked = false;                   // the receiver verified the signature itself: not twice
  std::string_view traceparent = {};            // the question belongs to the request's trace (06 §9)
  std::string_view tracestate = {};
  bool ask_once = false; // a session that isn't found is not asked for again (feeds, 06 §1)
};

struct Validation {
  bool allowed = false;
  std::shared_ptr<const CallerSession> caller;
};

class Validator {
public:
  virtual ~Validator() = default;
  // [thread-safe] [may block] The error is what the caller of the service gets (06 §4.3).
  virtual tl::expected<Validation, ErrorEnvelope> validate(const ValidationRequest &request) = 0;
};

// Sessions by session key; replaced as a whole when the policy changes.
using SessionDirectory = std::map<std::string, std::shared_ptr<const CallerSession>, std::less<>>;

class LocalValidator : public Validator {
public:
  // `now`: the server clock in whole seconds.
  LocalValidator(ReplayCache &replay, std::function<std::int64_t()> now);
  ~LocalValidator() override;

  // [thread-safe] Requests decided from here on see `sessions`.
  void replace_sessions(SessionDirectory sessions);
  tl::expected<Validation, ErrorEnvelope> validate(const ValidationRequest &request) override;

private:
  struct State;
  std::unique_ptr<State> state_;
};

class RequestValidator : public Validator {
public:
  // Signs its requests with the service's own session key. Asks up to three times while the answer is
  // session_not_found, pausing 25 and 50 ms (06 §4.3).
  RequestValidator(Transport &transport, const SessionKey &service, std::function<std::int64_t()> now);
  ~RequestValidator() override;
  tl::expected<Validation, ErrorEnvelope> validate(const ValidationRequest &request) override;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis
