#include "runtime/event_consumers.h"

#include <algorithm>
#include <rapidjson/document.h>
#include <set>

namespace trellis {
namespace {

const Use *use_in(const std::optional<Named<Use>> &uses, std::string_view alias) {
  return uses ? find_named(*uses, alias) : nullptr;
}

// An alias in both groups means the required one (01 §3.4).
const Use *use_called(const Manifest &manifest, std::string_view alias) {
  const auto &uses = manifest.model().uses;
  if (!uses) return nullptr;
  const auto *required = use_in(uses->required, alias);
  return required ? required : use_in(uses->optional, alias);
}

bool lists(const Use &use, std::string_view name, EventUse wanted) {
  if (!use.events) return false;
  const auto &names = wanted == EventUse::publish ? use.events->publish : use.events->subscribe;
  return names && std::find(names->begin(), names->end(), name) != names->end();
}

} // namespace

std::vector<EventKey> group_events(const Manifest &manifest, std::string_view group) {
  const auto &groups = manifest.model().event_consumers;
  const auto *found = groups ? find_named(*groups, group) : nullptr;
  if (!found) return {};
  std::set<EventKey> events;
  if (found->self)
    for (const auto &name : *found->self)
      events.insert({manifest.id(), name});
  if (found->uses)
    for (const auto &[alias, names] : *found->uses)
      if (const auto *use = use_called(manifest, alias))
        for (const auto &name : names)
          events.insert({use->contract, name});
  return {events.begin(), events.end()};
}

bool may_use_event(const Manifest &manifest, std::string_view contract_id, std::string_view name, EventUse use) {
  const auto &model = manifest.model();
  if (manifest.id() == contract_id && model.events && find_named(*model.events, name)) return true;
  if (!model.uses) return false;
  for (const auto *group : {&model.uses->required, &model.uses->optional}) {
    if (!*group) continue;
    const auto fits = [&](const auto &entry) {
      return entry.second.contract == contract_id && lists(entry.second, name, use);
    };
    if (std::any_of((*group)->begin(), (*group)->end(), fits)) return true;
  }
  return false;
}

std::map<std::string, EventConsumer, std::less<>> read_event_consumers(const JsonValue &resources) {
  std::map<std::string, EventConsumer, std::less<>> out;
  const auto *groups = find_member(resources, "eventConsumers");
  if (!groups || !groups->IsObject()) return out;
  for (const auto &group : groups->GetObject()) {
    EventConsumer consumer{std::string(string_member(group.value, "stream")),
                           std::string(string_member(group.value, "consumerName"))};
    if (!consumer.stream.empty() && !consumer.name.empty()) out.emplace(text_of(group.name), std::move(consumer));
  }
  return out;
}

} // namespace trellis
