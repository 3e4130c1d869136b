// Consumer groups of a contract: which events a group names, and where its consumer is (06 §6.4; 02 §7.4). Pure.
#pragma once

#include "contracts/manifest.h"
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// An event by the contract that owns it.
struct EventKey {
  std::string contract_id, name;
  auto operator<=>(const EventKey &) const = default;
};

// All events of the group, each once, sorted. Empty when the contract has no such group.
std::vector<EventKey> group_events(const Manifest &manifest, std::string_view group);

// Whether the contract may publish or subscribe to an event: its own, or one that a use lists. Own events may always be
// listened to and published.
enum class EventUse { publish, subscribe };
bool may_use_event(const Manifest &manifest, std::string_view contract_id, std::string_view name, EventUse use);

struct EventConsumer {
  std::string stream, name;
};
// group -> its consumer, from `resources` of a bootstrap answer's binding. Entries without stream or name are left out.
std::map<std::string, EventConsumer, std::less<>> read_event_consumers(const JsonValue &resources);

} // namespace trellis
