#include "policy/plugin_policy.h"

#include "abi/abi_values.h"
#include "contracts/json_write.h"
#include "wire/connect_token.h"
#include <map>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

constexpr std::int64_t kDefaultJwtLifeMs = 3'600'000; // 03 §13

using Principal = std::pair<std::string, std::string>; // session key, contract digest

Principal principal_of(std::string_view request) {
  const auto body = parse_json(request);
  if (!body) return {};
  return {std::string(string_member(*body, "sessionKey")), std::string(string_member(*body, "contractDigest"))};
}

// connectInfo.transport.sentinel of a ready body (04 §5.3).
Result<NatsCredentials> sentinel_of(std::string_view body) {
  const auto document = parse_json(body);
  const JsonValue *at = document ? &*document : nullptr;
  for (const char *name : {"connectInfo", "transport", "sentinel"})
    at = at ? find_member(*at, name) : nullptr;
  const auto jwt = at ? string_member(*at, "jwt") : std::string_view{};
  auto seed = NkeySeed::parse(at ? string_member(*at, "seed") : std::string_view{}, NkeyType::user);
  if (jwt.empty() || !seed) return fail("sentinel_invalid", "/connectInfo/transport/sentinel", "no jwt and seed");
  return NatsCredentials{std::string(jwt), std::move(*seed)};
}

} // namespace

PolicyAnswer policy_answer(int status, std::string_view reason, std::string_view message) {
  return {status, JsonObjectText().text("reason", reason).text("message", message).str()};
}

struct PluginPolicy::State {
  explicit State(std::function<std::int64_t()> clock) : now(std::move(clock)) {}
  const std::function<std::int64_t()> now;

  std::mutex mutex;                                                      // guards the rest
  std::map<Principal, std::shared_ptr<const NatsCredentials>> sentinels; // of who got a 200 that still holds
  std::int64_t jwt_life_ms = kDefaultJwtLifeMs;

  std::mutex changed_mutex; // held while `changed` runs
  std::function<void()> changed;

  void call_changed() {
    const std::lock_guard lock(changed_mutex);
    if (changed) changed();
  }

  // `bound`: it was about one file. Another one with the same contract may be running, and stays.
  PolicyAnswer remember(const Principal &principal, bool bound, PolicyAnswer answer) {
    if (answer.status != 200) {
      if (answer.decided() && !bound) forget(principal);
      return answer;
    }
    auto sentinel = sentinel_of(answer.body);
    if (!sentinel) return policy_answer(500, sentinel.error().code, sentinel.error().text());
    const std::lock_guard lock(mutex);
    sentinels.insert_or_assign(principal, std::make_shared<const NatsCredentials>(std::move(*sentinel)));
    return answer;
  }

  void forget(const Principal &principal) {
    const std::lock_guard lock(mutex);
    sentinels.erase(principal);
  }
};

// Owns itself until it is answered, which happens exactly once.
struct PluginPolicy::Asked {
  std::shared_ptr<State> state;
  std::optional<Principal> principal; // of a bootstrap
  bool bound = false;                 // to a file
  Done done;

  static void answer(void *context, std::int32_t status, trellis_str body) noexcept {
    const std::unique_ptr<Asked> asked(static_cast<Asked *>(context));
    PolicyAnswer answer{status, std::string(view(body))};
    if (asked->principal) answer = asked->state->remember(*asked->principal, asked->bound, std::move(answer));
    asked->done(std::move(answer));
  }
};

PluginPolicy::PluginPolicy(std::function<std::int64_t()> now) : state_(std::make_shared<State>(std::move(now))) {}
PluginPolicy::~PluginPolicy() = default;

namespace {

// As 1.0 had it; what is newer may be missing.
bool is_whole(const trellis_policy_v1 &policy) {
  return TRELLIS_HAS(trellis_policy_v1, &policy, jwt_life_ms) && policy.bootstrap && policy.enroll &&
         policy.on_change && policy.surfaces_ready && policy.jwt_life_ms;
}

} // namespace

Result<PluginPolicy::Tables> PluginPolicy::tables_of(const trellis_plugin &plugin) {
  const bool extensible = TRELLIS_HAS(trellis_plugin, &plugin, get_extension) && plugin.get_extension;
  const auto find = [&](std::string_view id) {
    return extensible ? plugin.get_extension(plugin.self, str(id)) : nullptr;
  };
  const Tables tables{static_cast<const trellis_policy_v1 *>(find(TRELLIS_EXT_POLICY)),
                      static_cast<const trellis_validator_v1 *>(find(TRELLIS_EXT_VALIDATOR)), plugin.self};
  if (!tables.policy || !is_whole(*tables.policy))
    return fail("extension_missing", TRELLIS_EXT_POLICY, "the control plane doesn't offer it", "all of its functions");
  if (!tables.validator || !TRELLIS_HAS(trellis_validator_v1, tables.validator, validate) ||
      !tables.validator->validate)
    return fail("extension_missing", TRELLIS_EXT_VALIDATOR, "the control plane doesn't offer it");
  return tables;
}

void PluginPolicy::attach(const Tables &tables) {
  const auto life = tables.policy->jwt_life_ms(tables.self);
  {
    const std::lock_guard lock(state_->mutex);
    state_->jwt_life_ms = life > 0 ? life : kDefaultJwtLifeMs;
  }
  {
    const std::unique_lock lock(mutex_);
    tables_ = tables;
  }
  // The state outlives the registration: detach ends it before the control plane goes.
  tables.policy->on_change(
      tables.self, [](void *state) { static_cast<State *>(state)->call_changed(); }, state_.get());
  state_->call_changed();
}

void PluginPolicy::detach() {
  Tables ended;
  {
    const std::unique_lock lock(mutex_);
    ended = std::exchange(tables_, {});
  }
  if (ended.policy) ended.policy->on_change(ended.self, nullptr, nullptr);
}

void PluginPolicy::bootstrap(std::string request, ArtifactFacts artifact, Done done) {
  const std::shared_lock lock(mutex_);
  if (!tables_.policy)
    return done(policy_answer(503, "control_plane_starting", "the control plane of this host isn't running yet"));
  const bool knows_artifacts =
      TRELLIS_HAS(trellis_policy_v1, tables_.policy, bootstrap_artifact) && tables_.policy->bootstrap_artifact;
  if (artifact.bound && !knows_artifacts)
    return done(policy_answer(409, "artifact_unsupported", "this control plane can't approve single files"));
  auto asked = std::make_unique<Asked>(Asked{state_, principal_of(request), artifact.bound, std::move(done)});
  if (!artifact.bound) return tables_.policy->bootstrap(tables_.self, str(request), &Asked::answer, asked.release());
  tables_.policy->bootstrap_artifact(tables_.self, str(request), str(artifact.sha256), str(artifact.signer),
                                     &Asked::answer, asked.release());
}

void PluginPolicy::enroll(std::string deployment, std::string session_key, Done done) {
  const std::shared_lock lock(mutex_);
  if (!tables_.policy)
    return done(policy_answer(503, "control_plane_starting", "the control plane of this host isn't running yet"));
  auto asked = std::make_unique<Asked>(Asked{state_, std::nullopt, false, std::move(done)});
  tables_.policy->enroll(tables_.self, str(deployment), str(session_key), &Asked::answer, asked.release());
}

Result<ConnectionCredentials> PluginPolicy::credentials(const SessionKey &key, std::string_view contract_digest,
                                                        std::string_view use) {
  std::shared_ptr<const NatsCredentials> sentinel;
  std::int64_t life_ms = 0;
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->sentinels.find(Principal(key.text(), contract_digest));
    if (found != state_->sentinels.end()) sentinel = found->second;
    life_ms = state_->jwt_life_ms;
  }
  if (!sentinel)
    return fail("policy_denied", std::string(contract_digest), "the control plane hasn't said that this may connect");
  ConnectionCredentials out{{sentinel->jwt, sentinel->seed.clone()}, {}, state_->now() + life_ms / 1000};
  // Pure, and with a fresh time for each attempt: servers refuse an old one (03 §6.3).
  out.auth_token = [key = std::make_shared<const SessionKey>(key.clone()), digest = std::string(contract_digest),
                    use = std::string(use), now = state_->now] { return make_connect_token(*key, now(), digest, use); };
  return out;
}

void PluginPolicy::connection_denied(const SessionKey &key, std::string_view contract_digest) {
  state_->forget(Principal(key.text(), contract_digest));
}

void PluginPolicy::on_change(std::function<void()> changed) {
  const std::lock_guard lock(state_->changed_mutex);
  state_->changed = std::move(changed);
}

} // namespace trellis
