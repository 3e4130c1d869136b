#include "contracts/authority.h"

#include <map>

namespace trellis {
namespace {

// Entries of one list with equal keys become one, at the place of the first (02 §1.1).
template <class T, class Key>
void merge_into(std::vector<T> &merged, const std::vector<const Needs *> &parts, std::vector<T> Needs::*list,
                const Key &key_of) {
  std::map<decltype(key_of(std::declval<const T &>())), std::size_t> places;
  for (const auto *part : parts)
    for (const auto &need : part->*list) {
      const auto [slot, fresh] = places.try_emplace(key_of(need), merged.size());
      if (fresh) {
        merged.push_back(need);
        continue;
      }
      T &place = merged[slot->second];
      const bool required = place.required || need.required;
      place = need;
      place.required = required;
    }
}

} // namespace

Needs merge_needs(const std::vector<const Needs *> &parts) {
  Needs merged;
  merge_into(merged.contracts, parts, &Needs::contracts, [](const ContractNeed &need) { return need.contract_id; });
  merge_into(merged.surfaces, parts, &Needs::surfaces, [](const SurfaceNeed &need) { return need.surface; });
  merge_into(merged.capabilities, parts, &Needs::capabilities,
             [](const CapabilityNeed &need) { return need.capability; });
  merge_into(merged.resources, parts, &Needs::resources,
             [](const ResourceNeed &need) { return std::pair(need.kind, need.alias); });
  return merged;
}

std::string_view surface_kind_name(SurfaceKind kind) {
  switch (kind) {
  case SurfaceKind::rpc: return "rpc";
  case SurfaceKind::operation: return "operation";
  case SurfaceKind::event: return "event";
  case SurfaceKind::feed: return "feed";
  }
  return {};
}

std::string_view surface_action_name(SurfaceAction action) {
  switch (action) {
  case SurfaceAction::none: return "";
  case SurfaceAction::call: return "call";
  case SurfaceAction::publish: return "publish";
  case SurfaceAction::subscribe: return "subscribe";
  case SurfaceAction::observe: return "observe";
  case SurfaceAction::cancel: return "cancel";
  }
  return {};
}

std::string_view resource_kind_name(ResourceKind kind) {
  switch (kind) {
  case ResourceKind::kv: return "kv";
  case ResourceKind::store: return "store";
  case ResourceKind::jobs: return "jobs";
  case ResourceKind::event_consumer: return "event-consumer";
  case ResourceKind::transfer: return "transfer";
  }
  return {};
}

std::string_view grant_source_name(GrantSource source) {
  switch (source) {
  case GrantSource::owned_surface: return "owned-surface";
  case GrantSource::used_surface: return "used-surface";
  case GrantSource::resource_binding: return "resource-binding";
  case GrantSource::platform_service: return "platform-service";
  case GrantSource::transfer: return "transfer";
  }
  return {};
}

} // namespace trellis
