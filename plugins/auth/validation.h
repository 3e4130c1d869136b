// Auth.Requests.Validate (03 §10), for the RPC and for the host in process: the same object, the same replay cache.
#pragma once

#include "contracts/encoding.h"
#include "core.h"
#include "wire/error_envelope.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {
class ReplayCache;
}

namespace trellis::auth {

struct ValidateInput {
  std::string_view session_key, proof, subject, request_id;
  Sha256 payload_hash{};
  double iat = 0; // as sent; only integers are fresh
  bool proof_checked = false;
  std::vector<std::string_view> capabilities;
};

// One principal's answer; cached while Database::version() stays the same.
struct ValidatedCaller {
  std::string json, inbox_prefix;
  std::vector<std::string> capabilities, publish_subjects;
  bool any_subject = false;
  std::uint64_t version = 0;
};

struct ValidateOutcome {
  bool allowed = false;
  std::shared_ptr<const ValidatedCaller> caller;
};

// A request costs its signature check and two locked table look-ups; the database is asked only for sessions that
// haven't called since the last change of anything that is decided.
class Validation {
public:
  // limits.validationCache lookups are kept; beyond it the oldest is forgotten, and made again when its session calls
  // next.
  Validation(Core &core, ReplayCache &replay);
  ~Validation();
  // [thread-safe] The error is the AuthError of 03 §10.
  tl::expected<ValidateOutcome, ErrorEnvelope> validate(const ValidateInput &input);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis::auth
