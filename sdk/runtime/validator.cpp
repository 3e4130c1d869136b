#include "runtime/validator.h"

#include "contracts/json_write.h"
#include "replay/replay_cache.h"
#include "wire/names.h"
#include "wire/proof.h"
#include "wire/subjects.h"
#include <algorithm>
#include <mutex>

namespace trellis {
namespace {

constexpr std::int64_t kLargestSafeInteger = 9007199254740991;

// As a control plane's own answer names itself (05 §2.2: in-process validation answers the same).
tl::unexpected<ErrorEnvelope> refuse(std::string_view reason) {
  return tl::make_unexpected(
      auth_error(reason, JsonObjectText().text("method", wire::kValidateMethod).text("service", "trellis").str()));
}

bool is_safe_integer(std::int64_t value) {
  return value >= -kLargestSafeInteger && value <= kLargestSafeInteger;
}

bool subject_granted(const CallerSession &session, std::string_view subject) {
  return session.any_subject ||
         std::any_of(session.publish_subjects.begin(), session.publish_subjects.end(),
                     [&](const std::string &pattern) { return subject_matches(pattern, subject); });
}

bool holds_all(const CallerSession &session, const std::vector<std::string> &required) {
  return std::all_of(required.begin(), required.end(), [&](const std::string &capability) {
    return std::find(session.capabilities.begin(), session.capabilities.end(), capability) !=
           session.capabilities.end();
  });
}

} // namespace

struct LocalValidator::State {
  State(ReplayCache &cache, std::function<std::int64_t()> clock) : replay(cache), now(std::move(clock)) {}

  std::shared_ptr<const CallerSession> find(std::string_view session_key) const {
    const auto directory = current();
    const auto found = directory->find(session_key);
    return found == directory->end() ? nullptr : found->second;
  }
  std::shared_ptr<const SessionDirectory> current() const {
    const std::lock_guard lock(mutex);
    return sessions;
  }

  ReplayCache &replay;
  const std::function<std::int64_t()> now;
  mutable std::mutex mutex; // guards the pointer; the directory behind it never changes
  std::shared_ptr<const SessionDirectory> sessions = std::make_shared<SessionDirectory>();
};

LocalValidator::LocalValidator(ReplayCache &replay, std::function<std::int64_t()> now)
    : state_(std::make_unique<State>(replay, std::move(now))) {}
LocalValidator::~LocalValidator() = default;

void LocalValidator::replace_sessions(SessionDirectory sessions) {
  std::shared_ptr<const SessionDirectory> next = std::make_shared<SessionDirectory>(std::move(sessions));
  const std::lock_guard lock(state_->mutex);
  state_->sessions.swap(next);
} // the old directory is freed here, after the lock

// Steps 2 to 7 of 03 §10; step 1 happened when the hash was read or computed.
tl::expected<Validation, ErrorEnvelope> LocalValidator::validate(const ValidationRequest &request) {
  const auto now = state_->now();
  if (!is_safe_integer(request.iat) || !is_fresh(now, static_cast<double>(request.iat)))
    return refuse("iat_out_of_range");
  if (!request.proof_checked && !verify_request_proof(request.session_key, request.subject, request.payload_hash,
                                                      request.iat, request.request_id, request.proof))
    return refuse("invalid_signature");
  auto session = state_->find(request.session_key);
  if (!session) return refuse("session_not_found"); // before the replay rule: nothing is recorded (03 §10.1)
  const auto fresh = state_->replay.insert(request.session_key, request.request_id, now, request.iat);
  if (!fresh) return tl::make_unexpected(unexpected_error(fresh.error().message));
  if (!*fresh) return refuse("invalid_signature");
  const bool allowed = subject_granted(*session, request.subject) && holds_all(*session, request.capabilities);
  return Validation{allowed, std::move(session)};
}

} // namespace trellis
