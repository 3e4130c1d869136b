// Materialized grants: the NATS subjects behind a deployment's surfaces (02 §8).
#include "contracts/authority.h"
#include "contracts/name_index.h"
#include "contracts/resource_subjects.h"
#include "contracts/surface_lists.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 3> kPlatform = {"trellis.auth@v1", "trellis.core@v1", "trellis.health@v1"};
constexpr std::string_view kJobsContract = "trellis.jobs@v1";
// Replaced when permissions are issued (02 §9.1).
constexpr char kDownloads[] = "transfer.v1.download.{serviceSessionPrefix}.*";
constexpr char kUploads[] = "transfer.v1.upload.{serviceSessionPrefix}.*";

bool is_platform(std::string_view id) {
  return std::find(kPlatform.begin(), kPlatform.end(), id) != kPlatform.end();
}

// Contract id -> digest of the offer that a deployment owns it through (8.1 step 1).
std::map<std::string, std::string> owned_contracts(const std::vector<OfferRef> &offers) {
  const auto age = [](const OfferRef &offer) {
    return std::tuple(*offer.accepted_at, offer.last_refreshed_at.value_or(""), offer.offer_id);
  };
  std::map<std::string, const OfferRef *> latest;
  for (const auto &offer : offers) {
    if (offer.status != "accepted" || !offer.accepted_at) continue;
    auto &slot = latest[offer.lineage_key];
    if (!slot || age(*slot) < age(offer)) slot = &offer;
  }
  std::map<std::string, std::string> owned;
  for (const auto &[lineage, offer] : latest)
    owned[offer->contract_id] = offer->contract_digest;
  return owned;
}

// The surfaces of a manifest by name.
struct SurfaceIndex {
  explicit SurfaceIndex(const ManifestModel &model)
      : rpc(model.rpc), operations(model.operations), events(model.events), feeds(model.feeds) {}
  NameIndex<RpcSurface> rpc;
  NameIndex<OperationSurface> operations;
  NameIndex<EventSurface> events;
  NameIndex<FeedSurface> feeds;

  bool declares(const Surface &surface) const {
    switch (surface.kind) {
    case SurfaceKind::rpc: return rpc.contains(surface.name);
    case SurfaceKind::operation: return operations.contains(surface.name);
    case SurfaceKind::event: return events.contains(surface.name);
    case SurfaceKind::feed: return feeds.contains(surface.name);
    }
    return false;
  }
};

// 8.2: the offered manifest of an id first, then all known ones by digest.
class SurfaceSource {
public:
  SurfaceSource(const KnownContracts &known, const std::map<std::string, std::string> &owned) {
    std::map<std::string_view, std::vector<const Manifest *>> by_id;
    for (const auto &contract : known)
      by_id[contract.manifest.id()].push_back(&contract.manifest);
    for (auto &[id, manifests] : by_id) {
      const auto offer = owned.find(std::string(id));
      const auto rank = [&](const Manifest *manifest) {
        const bool offered = offer != owned.end() && offer->second == manifest->digest();
        return std::tuple(!offered, std::string_view(manifest->digest()));
      };
      std::sort(manifests.begin(), manifests.end(), [&](const auto *a, const auto *b) { return rank(a) < rank(b); });
      for (const auto *manifest : manifests)
        candidates_[id].emplace_back(manifest->model());
    }
  }

  const SurfaceIndex *find(const Surface &surface) const {
    const auto found = candidates_.find(surface.contract_id);
    if (found == candidates_.end()) return nullptr;
    for (const auto &candidate : found->second)
      if (candidate.declares(surface)) return &candidate;
    return nullptr;
  }

private:
  std::map<std::string_view, std::vector<SurfaceIndex>> candidates_;
};

// 8.3, for one surface.
class SurfaceGrants {
public:
  SurfaceGrants(std::vector<NatsGrant> &grants, const Surface &surface, GrantSource source)
      : grants_(grants), surface_(surface), source_(source) {}

  void add_rpc(const RpcSurface &rpc) {
    if (surface_.action != SurfaceAction::call) return;
    served(rpc.subject, call_list(rpc));
    if (rpc.transfer_receive) transfer(kDownloads);
  }

  void add_operation(const OperationSurface &operation) {
    const std::string control = wildcard_subject(operation.subject) + ".control";
    switch (surface_.action) {
    case SurfaceAction::call:
      served(operation.subject, call_list(operation));
      if (operation.transfer) transfer(kUploads);
      return;
    case SurfaceAction::observe: return served(control, observe_list(operation));
    case SurfaceAction::cancel: return served(control, names_in(lists_of(operation).cancel));
    default: return;
    }
  }

  void add_event(const EventSurface &event) {
    if (surface_.action == SurfaceAction::publish) add(true, event.subject, publish_list(event));
    if (surface_.action == SurfaceAction::subscribe) add(false, event.subject, subscribe_list(event));
  }

  void add_feed(const FeedSurface &feed) { served(feed.subject, subscribe_list(feed)); }

private:
  bool owned() const { return source_ == GrantSource::owned_surface; }

  // A subject that the owner answers on and others send to.
  void served(std::string_view subject, const NameList &capabilities) { add(!owned(), subject, capabilities); }

  void add(bool publish, std::string_view subject, const NameList &capabilities) {
    grants_.push_back({publish, wildcard_subject(subject), surface_, owned() ? NameList() : capabilities, source_});
  }

  void transfer(const char *subject) {
    if (owned()) grants_.push_back({false, subject, surface_, {}, GrantSource::transfer});
  }

  std::vector<NatsGrant> &grants_;
  Surface surface_;
  GrantSource source_;
};

void add_surface_grants(std::vector<NatsGrant> &grants, Surface surface, GrantSource source,
                        const SurfaceIndex &declared) {
  if (surface.kind == SurfaceKind::feed) surface.action = SurfaceAction::subscribe;
  SurfaceGrants of_surface(grants, surface, source);
  switch (surface.kind) {
  case SurfaceKind::rpc: return of_surface.add_rpc(*declared.rpc.find(surface.name));
  case SurfaceKind::operation: return of_surface.add_operation(*declared.operations.find(surface.name));
  case SurfaceKind::event: return of_surface.add_event(*declared.events.find(surface.name));
  case SurfaceKind::feed: return of_surface.add_feed(*declared.feeds.find(surface.name));
  }
}

// 8.1 steps 3 to 5.
std::map<Surface, GrantSource> surface_sources(const DesiredState &desired,
                                               const std::map<std::string, std::string> &owned, DeploymentKind kind) {
  std::map<Surface, GrantSource> sources;
  for (const auto &surface : desired.surfaces) {
    const bool own = owned.contains(surface.contract_id) || !is_platform(surface.contract_id);
    sources[surface] = own ? GrantSource::owned_surface : GrantSource::platform_service;
  }
  for (const auto &need : desired.needs.surfaces) {
    const auto &id = need.surface.contract_id;
    sources[need.surface] = owned.contains(id) ? GrantSource::owned_surface
                            : is_platform(id)  ? GrantSource::platform_service
                                               : GrantSource::used_surface;
  }
  if (kind == DeploymentKind::service)
    sources[{"trellis.core@v1", SurfaceKind::rpc, "Trellis.Bindings.Get", SurfaceAction::call}] =
        GrantSource::platform_service;
  return sources;
}

// 8.5. Direction in its text order: publish before subscribe.
void sort_unique(std::vector<NatsGrant> &grants) {
  const auto key = [](const NatsGrant &grant) {
    return std::tie(grant.publish, grant.subject, grant.surface, grant.source);
  };
  std::stable_sort(grants.begin(), grants.end(), [&](const NatsGrant &a, const NatsGrant &b) {
    if (a.publish != b.publish) return a.publish;
    return key(a) < key(b);
  });
  grants.erase(std::unique(grants.begin(), grants.end(),
                           [&](const NatsGrant &a, const NatsGrant &b) { return key(a) == key(b); }),
               grants.end());
}

} // namespace

Grants materialize(const DesiredState &desired, const std::vector<OfferRef> &offers, const KnownContracts &known,
                   DeploymentKind kind) {
  std::set<std::string> capabilities(desired.capabilities.begin(), desired.capabilities.end());
  for (const auto &need : desired.needs.capabilities)
    capabilities.insert(need.capability);
  std::set<Surface> surfaces(desired.surfaces.begin(), desired.surfaces.end());
  for (const auto &need : desired.needs.surfaces)
    surfaces.insert(need.surface);

  Grants grants{{capabilities.begin(), capabilities.end()}, {surfaces.begin(), surfaces.end()}, {}};
  const auto owned = owned_contracts(offers);
  const SurfaceSource declarations(known, owned);
  for (const auto &[surface, source] : surface_sources(desired, owned, kind))
    if (const auto *declared = declarations.find(surface)) add_surface_grants(grants.nats, surface, source, *declared);
  if (owned.contains(std::string(kJobsContract)))
    for (auto &subject : jobs_admin_subjects())
      grants.nats.push_back({true, std::move(subject), std::nullopt, {"service"}, GrantSource::platform_service});
  sort_unique(grants.nats);
  return grants;
}

} // namespace trellis
