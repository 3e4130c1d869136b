#include "contracts/health_contract.h"
#include "contracts/json_write.h"
#include "policy/policy.h"
#include "policy/policy_bootstrap.h"
#include "policy/policy_file.h"
#include "policy/static_policy_grants.h"
#include "replay/replay_cache.h"
#include "wire/ulid.h"
#include <algorithm>
#include <mutex>
#include <utility>

namespace trellis {
namespace {

using Clock = std::function<std::int64_t()>; // Unix milliseconds

std::int64_t seconds_of(const Clock &clock) {
  return clock() / 1000;
}

// The validator and what it refers to, shared with everyone who still holds it when the policy goes.
struct RequestDecisions {
  RequestDecisions(std::unique_ptr<ReplayCache> cache, const Clock &clock)
      : replay(std::move(cache)), validator(*replay, [clock] { return seconds_of(clock); }) {}
  std::unique_ptr<ReplayCache> replay;
  LocalValidator validator;
};

// The caller objects of 06 §4.5.
std::string user_json(const StaticCaller &caller, std::int64_t now_ms) {
  const std::string identity = JsonObjectText()
                                   .text("identityId", "idn_" + base64url(as_bytes("static:" + caller.name)))
                                   .text("provider", "static")
                                   .text("subject", caller.name)
                                   .str();
  return JsonObjectText()
      .text("type", "user")
      .text("participantKind", "agent")
      .text("userId", caller.name)
      .json("identity", identity)
      .flag("active", true)
      .text("name", caller.name)
      .text("email", caller.name + "@static.invalid")
      .texts("capabilities", caller.capabilities)
      .text("lastAuth", iso_time(now_ms))
      .str();
}

std::string service_json(std::string_view session_key, const Manifest &contract,
                         const std::vector<std::string> &capabilities) {
  return JsonObjectText()
      .text("type", "service")
      .text("id", session_key)
      .text("name", contract.model().display_name)
      .flag("active", true)
      .texts("capabilities", capabilities)
      .str();
}

// With the platform's contract that is there without a control plane. What claims its id is left out.
std::vector<Manifest> with_health(std::vector<Manifest> contracts) {
  std::erase_if(contracts, [](const Manifest &contract) { return contract.id() == health_contract().id(); });
  contracts.push_back(health_contract());
  return contracts;
}

class FilePolicy final : public StaticPolicy {
public:
  FilePolicy(StaticPolicyFile file, NkeySeed signing_key, std::shared_ptr<RequestDecisions> decisions, Clock clock)
      : decisions_(std::move(decisions)), clock_(std::move(clock)), file_(std::move(file)),
        signing_key_(std::move(signing_key)) {
    publish_sessions();
  }

  void bootstrap(std::string request, ArtifactFacts artifact, Done done) override {
    PolicyAnswer answer;
    {
      const std::lock_guard lock(mutex_);
      BootstrapDecision decision = decide_bootstrap({file_, known_, seconds_of(clock_)}, request, artifact);
      remember(decision);
      answer = std::move(decision.answer);
    }
    done(std::move(answer));
  }

  Result<ConnectionCredentials> credentials(const SessionKey &key, std::string_view contract_digest,
                                            std::string_view use) override {
    const std::lock_guard lock(mutex_);
    const auto found = ready_.find(Principal(key.text(), contract_digest));
    if (found == ready_.end())
      return fail("policy_denied", std::string(contract_digest), "the policy doesn't accept this contract",
                  "its digest in " + file_.file.string());
    const Manifest &contract = found->second;
    const auto permissions = permissions_when_accepted(contract, granting_, key.text());
    if (!permissions) return tl::unexpected(permissions.error());
    return mint_user(signer(), contract.id(), *permissions, use, seconds_of(clock_));
  }

  std::shared_ptr<Validator> validator() override { return {decisions_, &decisions_->validator}; }

  void on_change(std::function<void()> changed) override {
    const std::lock_guard lock(mutex_);
    changed_ = std::move(changed);
  }

  Result<void> reload() override {
    auto file = load_static_policy(path());
    if (!file) return tl::unexpected(file.error());
    auto signing_key = read_signing_seed(file->signing_seed_file);
    if (!signing_key) return tl::unexpected(signing_key.error());
    std::function<void()> changed;
    {
      const std::lock_guard lock(mutex_);
      file_ = std::move(*file);
      signing_key_ = std::move(*signing_key);
      forget_refused();
      publish_sessions();
      changed = changed_;
    }
    if (changed) changed();
    return {};
  }

  void set_known_contracts(std::vector<Manifest> contracts) override {
    const std::lock_guard lock(mutex_);
    known_ = with_health(std::move(contracts));
    publish_sessions();
  }

  Result<ConnectionCredentials> caller_credentials(std::string_view session_key) override {
    const std::lock_guard lock(mutex_);
    const auto caller = std::ranges::find(file_.callers, session_key, &StaticCaller::session_key);
    if (caller == file_.callers.end())
      return fail("caller_unknown", std::string(session_key), "no caller has this session key",
                  "a [[callers]] entry in " + file_.file.string());
    const auto plan = caller_plan(*caller, known_contracts(file_, granting_));
    if (!plan) return tl::unexpected(plan.error());
    return mint_user(signer(), caller->name, user_permissions(*plan, session_key), {}, seconds_of(clock_));
  }

private:
  using Principal = std::pair<std::string, std::string>; // session key, contract digest

  // The rest runs under the lock.

  Signer signer() const { return {signing_key_, file_.account, file_.jwt_life}; }

  std::filesystem::path path() {
    const std::lock_guard lock(mutex_);
    return file_.file;
  }

  void remember(const BootstrapDecision &decision) {
    if (decision.session_key.empty()) return;
    bool changed = false;
    if (decision.presented && std::ranges::find(known_, decision.contract_digest, &Manifest::digest) == known_.end()) {
      known_.push_back(*decision.presented);
      changed = true;
    }
    const Principal principal(decision.session_key, decision.contract_digest);
    if (decision.ready)
      changed |= ready_.insert_or_assign(principal, *decision.ready).second;
    else if (!decision.only_this_file) // whoever runs from a file that is accepted stays
      changed |= ready_.erase(principal) > 0;
    if (changed) publish_sessions();
  }

  // A key that became a caller's is no service's any more.
  void forget_refused() {
    std::erase_if(ready_, [this](const auto &entry) {
      const auto &[principal, contract] = entry;
      return !is_accepted(file_, contract.id(), contract.digest()) ||
             std::ranges::find(file_.callers, principal.first, &StaticCaller::session_key) != file_.callers.end();
    });
  }

  // After every change of the file, the contracts or who is ready. Inside the lock, so that directories can't overtake
  // each other.
  void publish_sessions() {
    granting_ = granting_contracts(file_, known_);
    SessionDirectory sessions;
    for (const auto &[principal, contract] : ready_)
      sessions[principal.first] = service_session(principal.first, contract);
    const KnownContracts known = known_contracts(file_, granting_);
    for (const StaticCaller &caller : file_.callers)
      sessions[caller.session_key] = caller_session(caller, known);
    decisions_->validator.replace_sessions(std::move(sessions));
  }

  std::shared_ptr<const CallerSession> service_session(const std::string &session_key, const Manifest &contract) const {
    CallerSession session;
    session.capabilities = {"service"};
    if (const auto permissions = permissions_when_accepted(contract, granting_, session_key))
      session.capabilities = permissions->capabilities;
    session.caller = service_json(session_key, contract, session.capabilities);
    session.inbox_prefix = inbox_prefix(session_key);
    session.any_subject = true;
    return std::make_shared<const CallerSession>(std::move(session));
  }

  std::shared_ptr<const CallerSession> caller_session(const StaticCaller &caller, const KnownContracts &known) const {
    CallerSession session;
    session.capabilities = caller.capabilities;
    session.caller = user_json(caller, clock_());
    session.inbox_prefix = inbox_prefix(caller.session_key);
    // A plan that fails grants nothing; caller_credentials says why.
    if (auto plan = caller_plan(caller, known)) session.publish_subjects = std::move(plan->publish_subjects);
    return std::make_shared<const CallerSession>(std::move(session));
  }

  const std::shared_ptr<RequestDecisions> decisions_;
  const Clock clock_;
  std::mutex mutex_; // guards everything below
  StaticPolicyFile file_;
  NkeySeed signing_key_;
  std::vector<Manifest> known_ = with_health({});
  std::vector<Manifest> granting_;      // of known_
  std::map<Principal, Manifest> ready_; // who got a 200 that still holds
  std::function<void()> changed_;
};

} // namespace

Result<std::unique_ptr<StaticPolicy>> StaticPolicy::open(const std::filesystem::path &file,
                                                         const std::filesystem::path &replay_file,
                                                         std::function<std::int64_t()> clock) {
  auto policy = load_static_policy(file);
  if (!policy) return tl::unexpected(policy.error());
  auto signing_key = read_signing_seed(policy->signing_seed_file);
  if (!signing_key) return tl::unexpected(signing_key.error());
  auto replay = replay_file.empty() ? ReplayCache::in_memory() : ReplayCache::open(replay_file);
  if (!replay) return tl::unexpected(replay.error());
  auto decisions = std::make_shared<RequestDecisions>(std::move(*replay), clock);
  return std::make_unique<FilePolicy>(std::move(*policy), std::move(*signing_key), std::move(decisions),
                                      std::move(clock));
}

} // namespace trellis
