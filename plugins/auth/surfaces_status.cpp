// Trellis.Surface.Status (02 §12): whether a surface can be called now, as far as the control plane knows. Advisory.
#include "authority_records.h"
#include "contracts/authority_json.h"
#include "contracts/json_write.h"
#include "contracts/surface_lists.h"
#include "core_rpcs.h"
#include "store/database.h"
#include "store/deployments.h"
#include <algorithm>
#include <map>
#include <set>

namespace trellis::auth {
namespace {

// The surface that is asked about; feeds, rpcs and operations have one action that may be left out.
Result<Surface> surface_of(const Body &body) {
  const auto kind = surface_kind_of(body.text("kind"));
  if (!kind) return invalid("/", "The kind isn't one of rpc, operation, event, feed.");
  const std::string given = body.text("action");
  const bool event = *kind == SurfaceKind::event;
  const std::string wanted = *kind == SurfaceKind::feed ? "subscribe" : "call";
  const bool fits = event ? given == "publish" || given == "subscribe" : given.empty() || given == wanted;
  if (!fits) return invalid("/action", "The action doesn't fit the kind of surface.");
  const auto action = surface_action_of(event ? given : wanted);
  return Surface{body.text("contractId"), *kind, body.text("surface"), action.value_or(SurfaceAction::none)};
}

template <class Entry>
const Entry *declared(const std::optional<Named<Entry>> &entries, std::string_view name) {
  return entries ? find_named(*entries, name) : nullptr;
}

// The capabilities that the surface asks for; nullptr: the contract doesn't declare it.
const NameList *required_capabilities(const Manifest &contract, const Surface &surface) {
  const ManifestModel &model = contract.model();
  switch (surface.kind) {
  case SurfaceKind::rpc:
    if (const auto *rpc = declared(model.rpc, surface.name)) return &call_list(*rpc);
    return nullptr;
  case SurfaceKind::operation:
    if (const auto *operation = declared(model.operations, surface.name)) return &call_list(*operation);
    return nullptr;
  case SurfaceKind::event:
    if (const auto *event = declared(model.events, surface.name))
      return surface.action == SurfaceAction::publish ? &publish_list(*event) : &subscribe_list(*event);
    return nullptr;
  case SurfaceKind::feed:
    if (const auto *feed = declared(model.feeds, surface.name)) return &subscribe_list(*feed);
    return nullptr;
  }
  return nullptr;
}

std::string available(bool live, const char *runtime) {
  return JsonObjectText().text("state", "available").flag("liveImplementer", live).text("runtime", runtime).str();
}

// Active offers of a digest by deployments that were granted the surface.
using Implementations = std::map<std::string, std::vector<Offer>>;

Implementations implementations_of(Reader &db, const Surface &surface,
                                   const std::map<std::string, const NameList *> &declaring, UnixMs now) {
  Implementations out;
  for (const Authority &authority : list_authorities(db)) {
    const auto &granted = authority.desired.surfaces;
    if (authority.disabled || std::ranges::find(granted, surface) == granted.end()) continue;
    for (Offer &offer : offers_of_deployment(db, authority.deployment_id))
      if (offer.contract_id == surface.contract_id && declaring.contains(offer.contract_digest) &&
          is_active(offer, now))
        out[offer.contract_digest].push_back(std::move(offer));
  }
  return out;
}

// Instances behind offers: keys of those that may run, and whether a disabled one was seen.
struct Implementers {
  std::vector<std::string> session_keys;
  bool disabled_seen = false;
};

void add_implementer(Implementers &out, Reader &db, const Offer &offer) {
  const auto instance = find_service_instance(db, offer.instance_id.value_or(""));
  const auto deployment = find_service_deployment(db, offer.deployment_id);
  if (!instance || !deployment) return;
  if (instance->disabled || deployment->disabled)
    out.disabled_seen = true;
  else
    out.session_keys.push_back(instance->instance_key);
}

struct Looked {
  std::string status; // decided without looking at connections, or ""
  Implementers implementers;
};

Looked look(Reader &db, const Catalog::View &view, const Surface &surface, const std::set<std::string> &held,
            UnixMs now) {
  std::map<std::string, const NameList *> declaring; // digest -> required capabilities
  bool id_known = false;
  for (const KnownContract &contract : view.known) {
    if (contract.manifest.id() != surface.contract_id) continue;
    id_known = true;
    if (const NameList *required = required_capabilities(contract.manifest, surface))
      declaring[contract.manifest.digest()] = required;
  }
  if (!id_known)
    return {JsonObjectText().text("state", "unknown_contract").text("contractId", surface.contract_id).str(), {}};
  if (declaring.empty())
    return {JsonObjectText()
                .text("state", "unknown_surface")
                .text("contractId", surface.contract_id)
                .text("kind", surface_kind_name(surface.kind))
                .text("surface", surface.name)
                .str(),
            {}};
  const Implementations offered = implementations_of(db, surface, declaring, now);
  if (offered.empty())
    return {JsonObjectText().text("state", "unavailable").text("reason", "authority_unavailable").str(), {}};
  Looked out;
  std::set<std::string> missing;
  bool authorized = false;
  for (const auto &[digest, offers] : offered) {
    std::set<std::string> lacking;
    for (const std::string &capability : *declaring.at(digest))
      if (!held.contains(capability)) lacking.insert(capability);
    missing.insert(lacking.begin(), lacking.end());
    if (!lacking.empty()) continue;
    authorized = true;
    for (const Offer &offer : offers)
      add_implementer(out.implementers, db, offer);
  }
  if (!authorized)
    out.status = JsonObjectText()
                     .text("state", "unauthorized")
                     .texts("missingCapabilities", {missing.begin(), missing.end()})
                     .str();
  return out;
}

} // namespace

Result<std::string> surface_status_reply(AuthorityContext &context, std::string_view input, std::string_view caller) {
  const auto body = Body::parse(input), who = Body::parse(caller);
  if (!body) return tl::make_unexpected(body.error());
  if (!who) return invalid("/", "The caller is unknown.");
  const auto surface = surface_of(*body);
  if (!surface) return tl::make_unexpected(surface.error());
  const auto capabilities = who->texts("capabilities");
  const auto view = context.core.catalog.view(context.core.db, context.core.now());
  if (!view) return tl::make_unexpected(view.error());
  const auto looked = context.core.db.read([&](Reader &db) {
    return look(db, **view, *surface, {capabilities.begin(), capabilities.end()}, context.core.now());
  });
  if (!looked) return tl::make_unexpected(looked.error());
  const auto reply = [](const std::string &status) { return JsonObjectText().json("status", status).str(); };
  if (!looked->status.empty()) return reply(looked->status);
  for (const std::string &key : looked->implementers.session_keys) {
    const auto connected = context.connections.of_session(key);
    if (!connected) return tl::make_unexpected(connected.error());
    if (!connected->empty()) return reply(available(true, "live"));
  }
  return reply(available(false, looked->implementers.disabled_seen ? "disabled" : "no_live_implementer"));
}

} // namespace trellis::auth
