#include "catalog.h"
#include "builtin_contracts.h"
#include "store/database.h"
#include "wire/ulid.h"
#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_map>

namespace trellis::auth {
namespace {

constexpr std::size_t kAcceptedPlansLookedAt = 500; // 02 §2.1

// When an offer that counts now stops to count.
std::int64_t next_change(const std::vector<Offer> &offers, std::int64_t now_ms) {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (const Offer &offer : offers)
    for (const auto &end : {offer.stale_at, offer.expires_at})
      if (end && *end > now_ms) next = std::min(next, *end);
  return next;
}

std::set<std::string, std::less<>> depended_or_provided(const Authority &authority) {
  std::set<std::string, std::less<>> ids;
  for (const ContractNeed &need : authority.desired.needs.contracts)
    if (need.required) ids.insert(need.contract_id);
  for (const Surface &surface : authority.desired.surfaces)
    ids.insert(surface.contract_id);
  return ids;
}

std::vector<Plan> newest_accepted_plans(Reader &db, const std::string &deployment_id) {
  std::vector<Plan> plans = list_plans(db, {deployment_id, "accepted", std::nullopt});
  const auto age = [](const Plan &plan) {
    return std::tuple(plan.decision_at.value_or(0), plan.created_at, std::string_view(plan.plan_id));
  };
  std::ranges::sort(plans, [&](const Plan &a, const Plan &b) { return age(b) < age(a); });
  if (plans.size() > kAcceptedPlansLookedAt) plans.resize(kAcceptedPlansLookedAt);
  return plans;
}

} // namespace

struct Catalog::Cache {
  std::mutex mutex; // guards all of it
  std::unordered_map<std::string, Manifest> manifests;
  std::shared_ptr<const View> view;
  std::uint64_t view_version = 0;
  std::int64_t view_until = 0; // exclusive
};

Catalog::Catalog(std::vector<Manifest> builtin) : builtin_(std::move(builtin)), cache_(std::make_unique<Cache>()) {}
Catalog::~Catalog() = default;

bool Catalog::is_builtin(std::string_view contract_id) const {
  return builtin_of(contract_id) != nullptr;
}

const Manifest *Catalog::builtin_of(std::string_view contract_id) const {
  const auto found = std::ranges::find(builtin_, contract_id, &Manifest::id);
  return found == builtin_.end() ? nullptr : &*found;
}

std::optional<std::string> Catalog::text_of(Reader &db, std::string_view digest) const {
  if (const auto found = std::ranges::find(builtin_, digest, &Manifest::digest); found != builtin_.end()) {
    std::string shipped = shipped_manifest(digest);
    return shipped.empty() ? found->normalized() : shipped;
  }
  if (auto contract = find_contract(db, digest)) return std::move(contract->canonical);
  return std::nullopt;
}

std::optional<Manifest> Catalog::find(Reader &db, std::string_view digest) {
  const auto found = std::ranges::find(builtin_, digest, &Manifest::digest);
  if (found != builtin_.end()) return *found;
  {
    const std::lock_guard lock(cache_->mutex);
    const auto cached = cache_->manifests.find(std::string(digest));
    if (cached != cache_->manifests.end()) return cached->second;
  }
  const auto contract = find_contract(db, digest);
  return contract ? parsed(digest, contract->canonical) : std::nullopt;
}

// A text whose digest isn't the one that it is kept under is as good as none (02 §11.2).
std::optional<Manifest> Catalog::parsed(std::string_view digest, std::string_view text) {
  const std::string key(digest);
  {
    const std::lock_guard lock(cache_->mutex);
    const auto cached = cache_->manifests.find(key);
    if (cached != cache_->manifests.end()) return cached->second;
  }
  auto manifest = Manifest::parse(text);
  if (!manifest || manifest->digest() != digest) return std::nullopt;
  const std::lock_guard lock(cache_->mutex);
  return cache_->manifests.try_emplace(key, std::move(*manifest)).first->second;
}

// Texts are read only for manifests that aren't parsed yet.
std::vector<Manifest> Catalog::stored(Reader &db) {
  std::vector<std::string> digests;
  for (auto row = db.query("SELECT digest, contract_id FROM contracts ORDER BY digest"); row.next();)
    if (!is_builtin(row.text(1))) digests.push_back(row.text(0));
  std::vector<Manifest> manifests;
  for (const std::string &digest : digests)
    if (auto manifest = find(db, digest)) manifests.push_back(std::move(*manifest));
  return manifests;
}

EffectiveCatalog Catalog::effective(Reader &db, std::int64_t now_ms) {
  std::map<std::string, CatalogCandidate> candidates; // by digest
  for (const Manifest &manifest : builtin_)
    candidates[manifest.digest()] = {manifest.id(), manifest.digest(), manifest, false, true, {}};
  for (const Offer &offer : list_offers(db)) {
    if (!is_active(offer, now_ms)) continue;
    const auto [slot, fresh] = candidates.try_emplace(offer.contract_digest);
    CatalogCandidate &candidate = slot->second;
    if (fresh && is_builtin(offer.contract_id)) { // never a second digest for a built-in id (05 §1)
      candidates.erase(slot);
      continue;
    }
    if (fresh)
      candidate = {offer.contract_id, offer.contract_digest, find(db, offer.contract_digest), false, false, {}};
    candidate.offers.push_back({offer.deployment_id, iso_time(offer.first_offered_at)});
  }
  std::vector<CatalogCandidate> all;
  for (auto &[digest, candidate] : candidates)
    all.push_back(std::move(candidate));
  return effective_catalog(std::move(all));
}

KnownContracts Catalog::known(Reader &db, std::int64_t now_ms) {
  return known_with(db, effective(db, now_ms));
}

KnownContracts Catalog::known_with(Reader &db, const EffectiveCatalog &effective) {
  std::set<std::string_view> active;
  for (const Manifest &manifest : effective.contracts)
    active.insert(manifest.digest());
  KnownContracts known;
  for (const Manifest &manifest : builtin_)
    known.push_back({manifest, true, false});
  for (Manifest &manifest : stored(db)) {
    const bool is_active = active.contains(manifest.digest());
    known.push_back({std::move(manifest), is_active, false});
  }
  return known;
}

KnownContracts Catalog::known_or_accepted(Reader &db, std::int64_t now_ms) {
  KnownContracts all = known(db, now_ms);
  add_accepted(db, all);
  return all;
}

void Catalog::add_accepted(Reader &db, KnownContracts &known) {
  std::set<std::string, std::less<>> settled; // ids that have an active or an accepted manifest
  for (const KnownContract &contract : known)
    if (contract.active) settled.insert(contract.manifest.id());
  const auto accept = [&](const Manifest &manifest) {
    settled.insert(manifest.id());
    const auto same = std::ranges::find_if(
        known, [&](const KnownContract &contract) { return contract.manifest.digest() == manifest.digest(); });
    if (same != known.end())
      same->accepted = true;
    else
      known.push_back({manifest, false, true});
  };
  for (const Authority &authority : list_authorities(db)) {
    if (authority.disabled) continue;
    const auto ids = depended_or_provided(authority);
    if (std::ranges::all_of(ids, [&](const std::string &id) { return settled.contains(id); })) continue;
    for (const Plan &plan : newest_accepted_plans(db, authority.deployment_id)) {
      if (!ids.contains(plan.contract_id) || settled.contains(plan.contract_id)) continue;
      const auto manifest = parsed(plan.contract_digest, plan.contract);
      if (manifest && manifest->id() == plan.contract_id) accept(*manifest);
    }
  }
}

Result<std::shared_ptr<const Catalog::View>> Catalog::view(const Database &db, std::int64_t now_ms) {
  const std::uint64_t version = db.version(); // before the read: what is kept may be newer than its version, not older
  {
    const std::lock_guard lock(cache_->mutex);
    if (cache_->view && cache_->view_version == version && now_ms < cache_->view_until) return cache_->view;
  }
  std::int64_t until = 0;
  auto made = db.read([&](Reader &reader) {
    auto view = std::make_shared<View>();
    until = next_change(list_offers(reader), now_ms);
    view->effective = effective(reader, now_ms);
    view->known = known_with(reader, view->effective);
    view->with_accepted = view->known;
    add_accepted(reader, view->with_accepted);
    return view;
  });
  if (!made) return tl::make_unexpected(made.error());
  const std::lock_guard lock(cache_->mutex);
  cache_->view = *made;
  cache_->view_version = version;
  cache_->view_until = until;
  return cache_->view;
}

void Catalog::store(Writer &db, const Manifest &contract, std::int64_t now_ms) {
  if (is_builtin(contract.id())) return;
  add_contract(db, {contract.digest(), contract.id(), contract.model().display_name, contract.model().description,
                    contract.normalized(), now_ms});
}

} // namespace trellis::auth
