// Fit and classification (02 §3).
#include "contracts/authority_plan.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace trellis {
namespace {

const std::string &key_of(const ContractNeed &need) {
  return need.contract_id;
}
const Surface &key_of(const SurfaceNeed &need) {
  return need.surface;
}
const std::string &key_of(const CapabilityNeed &need) {
  return need.capability;
}
std::pair<ResourceKind, std::string_view> key_of(const ResourceNeed &need) {
  return {need.kind, need.alias};
}

// The keys of a normalized list, with whether they are required.
template <class T>
auto coverage(const std::vector<T> &needs) {
  std::map<std::decay_t<decltype(key_of(needs.front()))>, bool> covered;
  for (const auto &need : needs)
    covered[key_of(need)] |= need.required;
  return covered;
}

template <class T>
std::vector<T> uncovered_of(const std::vector<T> &current, const std::vector<T> &requested) {
  const auto covered = coverage(current);
  std::vector<T> out;
  for (const auto &need : requested) {
    const auto found = covered.find(key_of(need));
    const bool is_covered = found != covered.end() && (found->second || !need.required);
    if (!is_covered) out.push_back(need);
  }
  return out;
}

std::map<std::pair<ResourceKind, std::string_view>, std::string_view> definitions_of(const Needs &needs) {
  std::map<std::pair<ResourceKind, std::string_view>, std::string_view> out;
  for (const auto &need : needs.resources)
    out[key_of(need)] = need.definition;
  return out;
}

// Step 4. Definitions are canonical texts, so comparing them as text is the deep comparison.
std::vector<ResourceNeed> changed_resources(const Needs &current, const Needs &requested) {
  const auto definitions = definitions_of(current);
  std::vector<ResourceNeed> changed;
  for (const auto &need : requested.resources) {
    const auto found = definitions.find(key_of(need));
    if (found != definitions.end() && found->second != need.definition) changed.push_back(need);
  }
  return changed;
}

bool drops_resource(const Needs &current, const Needs &requested) {
  const auto kept = definitions_of(requested);
  return std::any_of(current.resources.begin(), current.resources.end(),
                     [&](const ResourceNeed &need) { return !kept.contains(key_of(need)); });
}

// Everything that a list of needs says, in an order of its own.
template <class T, class Facts>
auto sorted_facts(const std::vector<T> &needs, const Facts &facts) {
  std::vector<decltype(facts(needs.front()))> out;
  for (const auto &need : needs)
    out.push_back(facts(need));
  std::sort(out.begin(), out.end());
  return out;
}

auto all_facts(const Needs &needs) {
  const auto plain = [](const auto &need) { return std::pair(key_of(need), need.required); };
  return std::tuple(
      sorted_facts(needs.contracts, plain), sorted_facts(needs.surfaces, plain),
      sorted_facts(needs.capabilities, plain), sorted_facts(needs.resources, [](const ResourceNeed &need) {
        return std::tuple(need.kind, std::string_view(need.alias), need.required, std::string_view(need.definition));
      }));
}

} // namespace

Needs current_needs(const DesiredState &desired) {
  Needs provided;
  for (const auto &surface : desired.surfaces)
    provided.surfaces.push_back({surface, true});
  for (const auto &capability : desired.capabilities)
    provided.capabilities.push_back({capability, true});
  provided.resources = desired.resources;
  return merge_needs({&desired.needs, &provided});
}

Needs uncovered(const Needs &current, const Needs &requested) {
  return {uncovered_of(current.contracts, requested.contracts), uncovered_of(current.surfaces, requested.surfaces),
          uncovered_of(current.capabilities, requested.capabilities),
          uncovered_of(current.resources, requested.resources)};
}

bool is_empty(const Needs &needs) {
  return needs.contracts.empty() && needs.surfaces.empty() && needs.capabilities.empty() && needs.resources.empty();
}

bool equal_needs(const Needs &a, const Needs &b) {
  const auto left = merge_needs({&a}), right = merge_needs({&b});
  return all_facts(left) == all_facts(right);
}

Fit classify(const Needs &current, const Needs &requested) {
  const auto has = merge_needs({&current}), wants = merge_needs({&requested});
  const auto delta = uncovered(has, wants);
  const auto changed = changed_resources(has, wants);

  Fit fit;
  fit.migration = !changed.empty() || drops_resource(has, wants);
  fit.fits = is_empty(delta);
  fit.desired_change = delta;
  fit.desired_change.resources.insert(fit.desired_change.resources.end(), changed.begin(), changed.end());
  fit.plan_required = fit.migration || !fit.fits || !is_empty(fit.desired_change);
  fit.missing_availability = delta;
  fit.missing_availability.capabilities.clear();
  for (const auto &need : delta.capabilities)
    fit.missing_capabilities.push_back(need.capability);
  return fit;
}

} // namespace trellis
