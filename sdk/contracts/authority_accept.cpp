#include "contracts/authority_accept.h"

#include "contracts/authority_plan.h"

#include <algorithm>
#include <set>

namespace trellis {
namespace {

using Details = std::vector<std::pair<std::string, std::string>>;

tl::unexpected<Error> refused(const char *where, std::string message, std::string expected, Details details) {
  return tl::make_unexpected(Error{"validation", where, std::move(message), std::move(expected), std::move(details)});
}

const char *classification(bool migration) {
  return migration ? "migration" : "update";
}

// Replaces the entry with the same key, or appends.
template <class T, class Same>
void upsert(std::vector<T> &list, const T &entry, const Same &same) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const T &other) { return same(other, entry); });
  if (found == list.end())
    list.push_back(entry);
  else
    *found = entry;
}

// Appends what isn't there yet.
template <class T>
void unite(std::vector<T> &list, const std::vector<T> &more) {
  std::set<T> seen(list.begin(), list.end());
  for (const auto &item : more)
    if (seen.insert(item).second) list.push_back(item);
}

std::vector<std::string> names_of(const std::vector<CapabilityNeed> &needs) {
  std::vector<std::string> names;
  for (const auto &need : needs)
    names.push_back(need.capability);
  return names;
}

std::vector<Surface> surfaces_of(const std::vector<SurfaceNeed> &needs) {
  std::vector<Surface> surfaces;
  for (const auto &need : needs)
    surfaces.push_back(need.surface);
  return surfaces;
}

// Check 7. A current state that names no contract has no scope to compare, and is refused as well.
Result<void> check_scope(const AcceptPlan &plan, const DesiredState &current) {
  const auto outside = outside_migration_scope(current, plan.contract_id, plan.requested, plan.provided);
  if (outside && outside->empty()) return {};
  const Details details = {{"planId", plan.plan_id}, {"contractId", plan.contract_id}};
  if (!outside) return refused("/planId", "the deployment has no authority to migrate from", "an update", details);
  return refused("/planId", "the migration would take away the authority of " + *outside,
                 "a proposal that names every contract of the deployment", details);
}

} // namespace

DesiredState accept_update(const DesiredState &before, const Needs &desired_change,
                           const std::vector<Surface> &provided) {
  DesiredState after = before;
  after.needs = merge_needs({&before.needs, &desired_change});
  unite(after.capabilities, names_of(desired_change.capabilities));
  for (const auto &resource : desired_change.resources)
    upsert(after.resources, resource,
           [](const auto &a, const auto &b) { return a.kind == b.kind && a.alias == b.alias; });
  unite(after.surfaces, provided);
  unite(after.surfaces, surfaces_of(desired_change.surfaces));
  return after;
}

DesiredState accept_migration(const Needs &requested, const std::vector<Surface> &provided) {
  DesiredState after;
  after.needs = merge_needs({&requested});
  after.capabilities = names_of(after.needs.capabilities);
  after.resources = after.needs.resources;
  unite(after.surfaces, provided);
  return after;
}

std::optional<std::string> outside_migration_scope(const DesiredState &current, std::string_view contract_id,
                                                   const Needs &requested, const std::vector<Surface> &provided) {
  std::set<std::string, std::less<>> scope = {std::string(contract_id)};
  for (const auto &need : requested.contracts)
    scope.insert(need.contract_id);
  for (const auto &need : requested.surfaces)
    scope.insert(need.surface.contract_id);
  for (const auto &surface : provided)
    scope.insert(surface.contract_id);

  std::vector<std::string_view> ids;
  for (const auto &need : current.needs.contracts)
    ids.push_back(need.contract_id);
  for (const auto &need : current.needs.surfaces)
    ids.push_back(need.surface.contract_id);
  for (const auto &surface : current.surfaces)
    ids.push_back(surface.contract_id);
  if (ids.empty()) return std::nullopt;
  const auto outside = std::find_if(ids.begin(), ids.end(), [&](auto id) { return !scope.contains(id); });
  return outside == ids.end() ? std::string() : std::string(*outside);
}

DesiredState folded(const DesiredState &desired) {
  Needs resources;
  resources.resources = desired.resources;
  DesiredState out;
  out.needs = merge_needs({&desired.needs, &resources});
  out.resources = out.needs.resources;
  unite(out.capabilities, desired.capabilities);
  std::set<Surface> needed;
  for (const auto &need : out.needs.surfaces)
    needed.insert(need.surface);
  for (const auto &surface : desired.surfaces)
    if (needed.insert(surface).second) out.surfaces.push_back(surface);
  return out;
}

Result<void> check_undecided(std::string_view plan_id, const AcceptPlan *plan, std::string_view now) {
  if (!plan)
    return refused("/planId", "there is no plan " + std::string(plan_id), "a pending plan",
                   {{"planId", std::string(plan_id)}});
  if (plan->state != "pending")
    return refused("/planId", "the plan is " + plan->state, "a pending plan", {{"state", plan->state}});
  if (plan->expires_at && *plan->expires_at <= now)
    return refused("/planId", "the plan expired at " + *plan->expires_at, "a pending plan",
                   {{"expiresAt", *plan->expires_at}});
  return {};
}

Result<DesiredState> decide_accept(const AcceptRequest &request, const AcceptPlan *plan,
                                   const AcceptAuthority *authority, std::string_view now) {
  if (auto undecided = check_undecided(request.plan_id, plan, now); !undecided)
    return tl::make_unexpected(std::move(undecided.error()));
  if (plan->migration != request.migration)
    return refused("/planId", std::string("the plan is a") + (plan->migration ? " migration" : "n update"),
                   std::string("a plan for ") + (request.migration ? "AcceptMigration" : "AcceptUpdate"),
                   {{"expectedClassification", classification(request.migration)},
                    {"actualClassification", classification(plan->migration)}});
  if (request.migration && request.acknowledgement.empty())
    return refused("/acknowledgement", "a migration needs an acknowledgement", "a text", {{"planId", plan->plan_id}});
  if (!plan->desired_change)
    return refused("/planId", "the change that the plan holds is malformed", "another plan",
                   {{"planId", plan->plan_id}});
  if (!authority) return refused("/deploymentId", "the deployment has no authority", {}, {{"planId", plan->plan_id}});
  if (!plan->desired_version)
    return refused("/planId", "the plan names no version of the authority", "another plan",
                   {{"planId", plan->plan_id}});
  if (*plan->desired_version != authority->version)
    return refused("/planId", "the authority has changed since the plan was made", "another plan",
                   {{"plannedDesiredVersion", *plan->desired_version}, {"actualDesiredVersion", authority->version}});
  if (request.expected_desired_version && *request.expected_desired_version != authority->version)
    return refused(
        "/expectedDesiredVersion", "the authority has another version", authority->version,
        {{"expectedDesiredVersion", *request.expected_desired_version}, {"actualDesiredVersion", authority->version}});
  if (!request.migration) return accept_update(authority->desired, *plan->desired_change, plan->provided);
  if (auto scope = check_scope(*plan, authority->desired); !scope) return tl::make_unexpected(std::move(scope.error()));
  return accept_migration(plan->requested, plan->provided);
}

std::string decision_reason(const AcceptRequest &request) {
  return request.migration ? request.acknowledgement : "accepted";
}

} // namespace trellis
