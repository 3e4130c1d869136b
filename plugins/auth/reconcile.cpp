#include "reconcile.h"
#include "contracts/json_write.h"
#include "store/database.h"
#include "store/reserved_resources.h"
#include "wire/ulid.h"
#include <algorithm>
#include <set>

namespace trellis::auth {
namespace {

struct Facts {
  Authority authority;
  std::optional<Materialization> before;
  std::vector<Offer> offers;
  std::vector<StoredBinding> reserved;
};

Result<Facts> facts_of(AuthorityContext &context, std::string_view deployment_id,
                       const std::optional<std::string> &desired_version) {
  const auto looked = context.core.db.read([&](Reader &db) -> Result<Facts> {
    const std::string id(deployment_id);
    auto authority = find_authority(db, deployment_id);
    if (!authority) return invalid("/deploymentId", "The deployment doesn't exist.", {{"deploymentId", id}});
    if (desired_version && *desired_version != authority->version)
      return invalid(
          "/desiredVersion", "The deployment has another version.",
          {{"deploymentId", id}, {"desiredVersion", *desired_version}, {"actualDesiredVersion", authority->version}});
    return Facts{std::move(*authority), find_materialization(db, deployment_id),
                 offers_of_deployment(db, deployment_id), reserved_resources(db, deployment_id)};
  });
  if (!looked) return tl::make_unexpected(looked.error());
  return *looked;
}

std::vector<OfferRef> offer_refs(const std::vector<Offer> &offers) {
  const auto text = [](const std::optional<UnixMs> &time) {
    return time ? std::optional(iso_time(*time)) : std::nullopt;
  };
  std::vector<OfferRef> out;
  for (const Offer &offer : offers)
    out.push_back({offer.offer_id, offer.lineage_key, offer.contract_id, offer.contract_digest, offer.status,
                   text(offer.accepted_at), text(offer.last_refreshed_at)});
  return out;
}

std::vector<std::string> owned_ids(const std::vector<Offer> &offers) {
  std::set<std::string> ids;
  for (const Offer &offer : offers)
    if (offer.status == "accepted" && offer.accepted_at) ids.insert(offer.contract_id);
  return {ids.begin(), ids.end()};
}

std::vector<StoredBinding> stored_bindings(const Facts &facts) {
  return facts.before ? facts.before->bindings : std::vector<StoredBinding>{};
}

// The materialization that a run ends in.
Result<Materialization> materialization_of(AuthorityContext &context, const Facts &facts) {
  const Authority &authority = facts.authority;
  Materialization out;
  out.deployment_id = authority.deployment_id;
  out.desired_version = authority.version;
  const auto reserve = [&](const std::vector<StoredBinding> &names) {
    return context.core.db.write([&](Writer &db) -> Result<void> {
      for (const StoredBinding &name : names)
        reserve_resource(db, authority.deployment_id, name);
      return {};
    });
  };
  const auto provisioned = context.resources.provision({authority.deployment_id, desired_resources(authority.desired),
                                                        stored_bindings(facts), owned_ids(facts.offers),
                                                        context.core.now(), facts.reserved, reserve});
  if (!provisioned) {
    out.status = "failed";
    out.bindings = stored_bindings(facts);
    out.error = provisioned.error().text();
    return out;
  }
  const auto view = context.core.catalog.view(context.core.db, context.core.now());
  if (!view) return tl::make_unexpected(view.error());
  out.status = "current";
  out.bindings = *provisioned;
  out.grants = materialize(authority.desired, offer_refs(facts.offers), (*view)->known,
                           authority.kind == "device" ? DeploymentKind::device : DeploymentKind::service);
  out.reconciled_at = context.core.now();
  return out;
}

std::string event_details(const Materialization &materialization) {
  JsonObjectText out;
  if (materialization.error)
    out.text("error", *materialization.error);
  else
    out.number("resourceBindings", static_cast<std::int64_t>(materialization.bindings.size()));
  return out.str();
}

bool same_grants(const Grants &a, const Grants &b) {
  const auto same = [](const NatsGrant &left, const NatsGrant &right) {
    return left.publish == right.publish && left.subject == right.subject && left.surface == right.surface &&
           left.required_capabilities == right.required_capabilities && left.source == right.source;
  };
  return a.capabilities == b.capabilities && a.surfaces == b.surfaces && std::ranges::equal(a.nats, b.nats, same);
}

// Whether somebody who bootstraps or connects would notice.
bool differs(const std::optional<Materialization> &before, const Materialization &after) {
  const auto same_binding = [](const StoredBinding &a, const StoredBinding &b) {
    return a.kind == b.kind && a.alias == b.alias && a.binding == b.binding;
  };
  return !before || before->status != after.status || before->desired_version != after.desired_version ||
         before->error != after.error || !std::ranges::equal(before->bindings, after.bindings, same_binding) ||
         !same_grants(before->grants, after.grants);
}

void log_outcome(const AuthorityContext &context, const Materialization &after) {
  JsonObjectText fields;
  fields.text("deploymentId", after.deployment_id).text("desiredVersion", after.desired_version);
  fields.text("status", after.status);
  if (after.error) fields.text("error", *after.error);
  log_change(context, after.error ? Level::warn : Level::info, "deployment reconciled", fields.str());
}

Result<Reconciled> run_locked(AuthorityContext &context, const Facts &facts) {
  Reconciliation state{
      facts.authority.deployment_id, facts.authority.version, "running", context.core.now(), std::nullopt,
      "reconciliation started"};
  auto written = context.core.db.write([&](Writer &db) -> Result<void> {
    put_reconciliation(db, state, "{}");
    return {};
  });
  if (!written) return tl::make_unexpected(written.error());
  auto materialization = materialization_of(context, facts);
  if (!materialization) return tl::make_unexpected(materialization.error());
  state.state = materialization->error ? "failed" : "succeeded";
  state.finished_at = context.core.now();
  state.message = materialization->error.value_or("reconciliation succeeded");
  written = context.core.db.write([&](Writer &db) -> Result<void> {
    put_materialization(db, *materialization);
    // A failed run keeps its names: what it couldn't take back is found under them.
    if (!materialization->error) drop_reserved_resources(db, facts.authority.deployment_id);
    put_reconciliation(db, state, event_details(*materialization));
    return {};
  });
  if (!written) return tl::make_unexpected(written.error());
  return Reconciled{facts.authority, std::move(*materialization), std::move(state)};
}

} // namespace

Result<Reconciled> reconcile(AuthorityContext &context, std::string_view deployment_id,
                             const std::optional<std::string> &desired_version) {
  bool changed = false;
  auto done = [&]() -> Result<Reconciled> {
    const auto hold = context.locks.hold(deployment_id);
    const auto facts = facts_of(context, deployment_id, desired_version);
    if (!facts) return tl::make_unexpected(facts.error());
    auto reconciled = run_locked(context, *facts);
    if (reconciled) changed = differs(facts->before, reconciled->materialization);
    return reconciled;
  }();
  if (changed) {
    log_outcome(context, done->materialization);
    context.changed();
  }
  return done;
}

void reconcile_or_log(AuthorityContext &context, std::string_view deployment_id) {
  if (const auto done = reconcile(context, deployment_id); !done)
    log_change(context, Level::error, "deployment not reconciled",
               JsonObjectText().text("deploymentId", deployment_id).text("error", done.error().text()).str());
}

void reconcile_enabled(AuthorityContext &context) {
  const auto authorities = context.core.db.read([](Reader &db) { return list_authorities(db); });
  if (!authorities) {
    log_change(context, Level::error, "no deployment reconciled",
               JsonObjectText().text("error", authorities.error().text()).str());
    return;
  }
  for (const Authority &authority : *authorities)
    if (!authority.disabled) reconcile_or_log(context, authority.deployment_id);
}

} // namespace trellis::auth
