#include "validation.h"

#include "contracts/json_write.h"
#include "principals.h"
#include "replay/replay_cache.h"
#include "store/sessions.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include "wire/subjects.h"
#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace trellis::auth {
namespace {

using Failure = tl::unexpected<ErrorEnvelope>;

Failure refuse(std::string_view reason, std::string context = "{}") {
  return tl::make_unexpected(auth_error(reason, std::move(context)));
}

std::string session_context(std::string_view session_key) {
  return JsonObjectText().text("sessionKey", session_key).str();
}

bool is_safe_integer(double iat) {
  constexpr double kLargest = 9007199254740991; // 2^53 - 1
  return std::isfinite(iat) && std::trunc(iat) == iat && std::abs(iat) <= kLargest;
}

// One session, looked up: its caller, or why its principal isn't welcome. Valid while the database's version is that
// of the caller, and until the session expires.
struct Lookup {
  std::shared_ptr<const ValidatedCaller> caller; // always there, for its version
  std::string denial, context;                   // reason of 03 §6.4 E
  UnixMs expires_after = 0;                      // 03 §8.1: gone when `now` is later
};

// Which sessions were looked up. The oldest entry makes room for a new one.
class Lookups {
public:
  explicit Lookups(std::size_t limit) : limit_(limit) {}

  std::shared_ptr<const Lookup> find(std::string_view session_key, std::uint64_t version, UnixMs now) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(session_key);
    if (found == entries_.end()) return nullptr;
    const auto &lookup = *found->second;
    return lookup.caller->version == version && now <= lookup.expires_after ? found->second : nullptr;
  }

  void store(std::string_view session_key, std::shared_ptr<const Lookup> lookup) {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(session_key); found != entries_.end()) {
      found->second = std::move(lookup);
      return;
    }
    if (entries_.size() >= limit_) {
      entries_.erase(order_.front());
      order_.pop_front();
    }
    order_.emplace_back(session_key);
    entries_.emplace(session_key, std::move(lookup));
  }

private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::size_t limit_; // at least 1
  std::mutex mutex_;  // guards both
  std::unordered_map<std::string, std::shared_ptr<const Lookup>, Hash, std::equal_to<>> entries_;
  std::deque<std::string> order_; // as they came in
};

bool may_call(const ValidatedCaller &caller, std::string_view subject) {
  return caller.any_subject || std::any_of(caller.publish_subjects.begin(), caller.publish_subjects.end(),
                                           [&](const std::string &own) { return subject_matches(own, subject); });
}

bool holds(const ValidatedCaller &caller, const std::vector<std::string_view> &wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view capability) {
    return std::find(caller.capabilities.begin(), caller.capabilities.end(), capability) != caller.capabilities.end();
  });
}

} // namespace

struct Validation::State {
  Core &core;
  ReplayCache &replay;
  Lookups lookups;

  using Found = tl::expected<std::shared_ptr<const Lookup>, ErrorEnvelope>;
  Found look_up(std::string_view session_key, UnixMs now);
  Found load(std::string_view session_key, std::uint64_t version);
  Lookup looked_up(Reader &db, const Session &session, std::uint64_t version) const;
};

// Step 4, and what steps 6 and 7 need.
Validation::State::Found Validation::State::look_up(std::string_view session_key, UnixMs now) {
  // Before the read: a change that comes between makes the entry older than it is, never newer.
  const auto version = core.db.version();
  if (auto cached = lookups.find(session_key, version, now)) return cached;
  auto loaded = load(session_key, version);
  if (loaded) lookups.store(session_key, *loaded);
  return loaded;
}

Validation::State::Found Validation::State::load(std::string_view session_key, std::uint64_t version) {
  const auto loaded = core.db.read([&](Reader &db) -> Result<std::optional<Lookup>> {
    const auto session = find_session(db, session_key, core.sessions_expired_before());
    if (!session) return tl::make_unexpected(session.error());
    if (!*session) return std::optional<Lookup>();
    return looked_up(db, **session, version);
  });
  const auto *error = !loaded ? &loaded.error() : !*loaded ? &loaded->error() : nullptr;
  if (error && error->code == "session_corrupted") return refuse("session_corrupted", session_context(session_key));
  if (error) return tl::make_unexpected(unexpected_error(error->text()));
  if (!**loaded) return refuse("session_not_found", session_context(session_key));
  return std::make_shared<const Lookup>(***loaded);
}

Lookup Validation::State::looked_up(Reader &db, const Session &session, std::uint64_t version) const {
  auto caller = std::make_shared<ValidatedCaller>();
  caller->version = version;
  Lookup lookup;
  lookup.denial = check_principal(db, session, false);
  if (lookup.denial.empty()) {
    auto facts = caller_facts(db, session);
    caller->json = std::move(facts.json);
    caller->inbox_prefix = inbox_prefix(session.session_key);
    caller->capabilities = std::move(facts.capabilities);
    caller->publish_subjects = std::move(facts.publish_subjects);
    caller->any_subject = facts.any_subject;
  } else {
    lookup.context = principal_context(session, lookup.denial);
  }
  const auto life = static_cast<UnixMs>(core.config.ttl_ms.sessions);
  lookup.expires_after = life <= 0 ? std::numeric_limits<UnixMs>::max() : session.last_auth + life;
  lookup.caller = std::move(caller);
  return lookup;
}

Validation::Validation(Core &core, ReplayCache &replay)
    : state_(new State{core, replay, Lookups(static_cast<std::size_t>(core.config.limits.validation_cache))}) {}
Validation::~Validation() = default;

tl::expected<ValidateOutcome, ErrorEnvelope> Validation::validate(const ValidateInput &input) {
  const UnixMs now_ms = state_->core.now();
  const auto now = now_ms / 1000;
  if (!is_safe_integer(input.iat) || !is_fresh(now, input.iat)) return refuse("iat_out_of_range");
  const auto iat = static_cast<std::int64_t>(input.iat);
  if (!input.proof_checked &&
      !verify_request_proof(input.session_key, input.subject, input.payload_hash, iat, input.request_id, input.proof))
    return refuse("invalid_signature");
  const auto found = state_->look_up(input.session_key, now_ms);
  if (!found) return tl::make_unexpected(found.error());
  const auto fresh = state_->replay.insert(input.session_key, input.request_id, now, iat);
  if (!fresh) return tl::make_unexpected(unexpected_error(fresh.error().text()));
  if (!*fresh) return refuse("invalid_signature");
  const Lookup &lookup = **found;
  if (!lookup.denial.empty()) return refuse(lookup.denial, lookup.context);
  const bool allowed = may_call(*lookup.caller, input.subject) && holds(*lookup.caller, input.capabilities);
  return ValidateOutcome{allowed, lookup.caller};
}

} // namespace trellis::auth
