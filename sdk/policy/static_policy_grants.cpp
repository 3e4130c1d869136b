#include "policy/static_policy_grants.h"
#include "contracts/accepted_grants.h"
#include "contracts/health_contract.h"
#include "contracts/json_write.h"
#include "contracts/subject_guard.h"
#include "policy/policy_bootstrap.h"
#include "wire/jwt.h"
#include <algorithm>
#include <iterator>
#include <set>

namespace trellis {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// The versions of one contract that `uses` speak of: those in use, else all (02 §10).
std::vector<const Manifest *> versions_of(std::string_view contract_id, const KnownContracts &known) {
  std::vector<const Manifest *> active, all;
  for (const KnownContract &contract : known) {
    if (contract.manifest.id() != contract_id) continue;
    all.push_back(&contract.manifest);
    if (contract.active) active.push_back(&contract.manifest);
  }
  return active.empty() ? all : active;
}

using Names = std::set<std::string>;

template <class Surface>
void add_names(Names &names, const std::optional<Named<Surface>> &section) {
  if (section)
    for (const auto &[name, surface] : *section)
      names.insert(name);
}

// What a caller may use of a contract: an entry of `uses` may name either, so both share one list.
struct Callable {
  explicit Callable(const std::vector<const Manifest *> &versions) {
    for (const Manifest *version : versions) {
      add_names(rpcs, version->model().rpc);
      add_names(feeds, version->model().feeds);
    }
  }
  Names all() const {
    Names both = rpcs;
    both.insert(feeds.begin(), feeds.end());
    return both;
  }
  Names rpcs, feeds;
};

std::vector<std::string> common(const Names &one, const Names &other) {
  std::vector<std::string> out;
  std::ranges::set_intersection(one, other, std::back_inserter(out));
  return out;
}

// The entry of `uses` for these names of one contract.
std::string use_of(std::string_view contract_id, const Callable &callable, const Names &names) {
  const auto rpcs = common(callable.rpcs, names), feeds = common(callable.feeds, names);
  JsonObjectText use;
  use.text("contract", contract_id).json("rpc", JsonObjectText().texts("call", rpcs).str());
  if (!feeds.empty()) use.json("feeds", JsonObjectText().texts("subscribe", feeds).str());
  return use.str();
}

std::string listed(const std::set<std::string> &names) {
  std::string out;
  for (const std::string &name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

Result<std::set<std::string>> selected(const StaticCaller &caller, const std::string &contract_id,
                                       const std::vector<std::string> &wanted, const std::set<std::string> &existing) {
  std::set<std::string> out;
  for (const std::string &name : wanted) {
    if (name == "*") return existing;
    if (!existing.contains(name))
      return fail("caller_uses", caller.where,
                  std::string("caller ").append(caller.name).append(" uses ").append(name) + ", which " +
                      std::string(contract_id) + " doesn't have",
                  "one of " + listed(existing));
    out.insert(name);
  }
  return out;
}

// The agent contract that a caller with these uses would have written.
Result<Manifest> caller_contract(const StaticCaller &caller, const KnownContracts &known) {
  JsonObjectText required;
  for (const auto &[contract_id, wanted] : caller.uses) {
    const auto versions = versions_of(contract_id, known);
    if (versions.empty()) continue;
    const Callable callable(versions);
    const auto names = selected(caller, contract_id, wanted, callable.all());
    if (!names) return tl::unexpected(names.error());
    required.json(contract_id, use_of(contract_id, callable, *names));
  }
  return Manifest::parse(JsonObjectText()
                             .text("format", "trellis.contract.v1")
                             .text("id", "static.caller@v1")
                             .text("displayName", caller.name)
                             .text("description", "A caller of the policy file.")
                             .text("kind", "agent")
                             .json("uses", JsonObjectText().json("required", required.str()).str())
                             .str());
}

bool owns_its_subjects(const Manifest &contract) {
  return contract.digest() == health_contract().digest() || check_own_subjects(contract);
}

void set_response(UserClaims &claims, const ResponsePermission &response, std::string_view use,
                  std::chrono::seconds life) {
  const std::int64_t whole_life = life.count() * kNanosecondsPerSecond;
  claims.response_max = use == "rpc" ? 1 : use == "stream" ? 65535 : response.max;
  if (use == "stream" || (use.empty() && response.streaming)) claims.response_ttl_ns = whole_life;
}

} // namespace

std::vector<Manifest> granting_contracts(const StaticPolicyFile &file, const std::vector<Manifest> &known) {
  std::vector<Manifest> out;
  for (const Manifest &contract : known)
    if (is_accepted(file, contract.id(), contract.digest()) && owns_its_subjects(contract)) out.push_back(contract);
  const std::vector<Manifest> accepted = out;
  std::vector<const Manifest *> owners;
  for (const Manifest &contract : accepted)
    owners.push_back(&contract);
  for (const Manifest &contract : known) {
    const bool has_accepted_version = std::ranges::find(accepted, contract.id(), &Manifest::id) != accepted.end();
    if (!has_accepted_version && check_own_subjects(contract) && check_subjects_free(contract, owners))
      out.push_back(contract);
  }
  return out;
}

Result<ApprovalPlan> caller_plan(const StaticCaller &caller, const KnownContracts &known) {
  const auto contract = caller_contract(caller, known);
  if (!contract) return tl::unexpected(contract.error());
  return plan_approval(*contract, known);
}

ConnectionCredentials mint_user(const Signer &signer, std::string_view name, const Permissions &permissions,
                                std::string_view use, std::int64_t now) {
  UserClaims user;
  user.publish_allow = permissions.publish;
  user.subscribe_allow = permissions.subscribe;
  user.issuer_account = signer.account;
  user.data = 100'000'000;
  user.subs = 1500;
  set_response(user, permissions.response, use, signer.life);

  NkeySeed seed = NkeySeed::generate(NkeyType::user);
  JwtClaims claims;
  claims.name = name;
  claims.audience = "trellis";
  claims.subject = seed.public_text();
  claims.issued_at = now;
  claims.expires_at = now + signer.life.count();
  claims.nats = user_nats_claims(user);
  return {{sign_jwt(claims, signer.key), std::move(seed)}, nullptr, claims.expires_at};
}

// The states that a control plane would keep for a deployment whose only plan was accepted, made on the spot: the whole
// request as desired state, and one accepted offer, which makes the contract's surfaces owned ones.
Result<Permissions> permissions_when_accepted(const Manifest &contract, const std::vector<Manifest> &known,
                                              std::string_view session_key) {
  KnownContracts contracts;
  for (const Manifest &other : known)
    contracts.push_back({other, true});
  const auto grants = grants_when_accepted(contract, contracts, DeploymentKind::service);
  if (!grants) return tl::unexpected(grants.error());
  return service_permissions(*grants, {}, session_key);
}

} // namespace trellis
