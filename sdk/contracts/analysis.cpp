// What a contract asks its deployment for, and what it provides (02 §2).
#include "contracts/authority.h"
#include "contracts/resource_needs.h"
#include "contracts/surface_lists.h"
#include "contracts/uses.h"

#include <unordered_set>

namespace trellis {
namespace {

// The needs of one use (02 §2.2).
class UseNeeds {
public:
  UseNeeds(Needs &needs, const ResolvedUse &use) : needs_(needs), use_(use) {}

  void add() {
    needs_.contracts.push_back({use_.use->contract, use_.required});
    for (const auto &[name, rpc] : use_.rpc) {
      surface(SurfaceKind::rpc, name, SurfaceAction::call, call_list(*rpc));
      if (rpc->transfer_receive) needs_.resources.push_back(receive_need(contract_id(), name, use_.required));
    }
    for (const auto &[name, operation] : use_.operations)
      add_operation(name, *operation);
    for (const auto &[name, event] : use_.publish)
      surface(SurfaceKind::event, name, SurfaceAction::publish, publish_list(*event));
    for (const auto &[name, event] : use_.subscribe)
      surface(SurfaceKind::event, name, SurfaceAction::subscribe, subscribe_list(*event));
    for (const auto &[name, feed] : use_.feeds)
      surface(SurfaceKind::feed, name, SurfaceAction::subscribe, subscribe_list(*feed));
  }

private:
  void add_operation(std::string_view name, const OperationSurface &operation) {
    surface(SurfaceKind::operation, name, SurfaceAction::call, call_list(operation));
    surface(SurfaceKind::operation, name, SurfaceAction::observe, observe_list(operation));
    if (can_cancel(operation)) surface(SurfaceKind::operation, name, SurfaceAction::cancel, cancel_list(operation));
    capabilities(control_list(operation));
    if (operation.transfer)
      needs_.resources.push_back(send_need(contract_id(), name, *operation.transfer, use_.required));
  }

  void surface(SurfaceKind kind, std::string_view name, SurfaceAction action, const NameList &required_capabilities) {
    needs_.surfaces.push_back({{contract_id(), kind, std::string(name), action}, use_.required});
    capabilities(required_capabilities);
  }

  void capabilities(const NameList &keys) {
    for (const auto &key : keys)
      needs_.capabilities.push_back({key, use_.required});
  }

  const std::string &contract_id() const { return use_.use->contract; }

  Needs &needs_;
  const ResolvedUse &use_;
};

tl::unexpected<Error> unresolved_event(const std::string &where, const std::string &alias, std::string what) {
  auto error =
      fail("analysis", where, "event consumer references " + std::move(what) + " of optional use '" + alias + "'",
           "an optional use that resolves, or a required one");
  error.value().details = {{"alias", alias}};
  return error;
}

// The events that a group selects (02 §2.3 step 4).
class ConsumerEvents {
public:
  ConsumerEvents(const Manifest &contract, const std::vector<ResolvedUse> &uses)
      : own_events_(contract.model().events) {
    for (const auto &use : uses)
      uses_.emplace(use.alias, &use);
  }

  Result<std::vector<SelectedEvent>> select(const std::string &name, const EventConsumerGroup &group) const {
    std::vector<SelectedEvent> selected;
    for (const auto &[alias, events] : entries_of(group.uses)) {
      const auto &use = *uses_.at(alias); // validation checked the alias
      const auto where = json_pointer("eventConsumers", name, "uses", alias);
      if (!use.target && use.required) return dependency_error(where, alias, use.use->contract, "contract", "unknown");
      if (!use.target) return unresolved_event(where, alias, "an event");
      for (const auto &event : events) {
        const auto *surface = use.target->events.find(event);
        if (!surface) return unresolved_event(where, alias, "missing event '" + event + "'");
        selected.push_back({false, alias, event, surface->subject});
      }
    }
    for (const auto &event : names_in(group.self))
      selected.push_back({true, {}, event, own_events_.find(event)->subject});
    return selected;
  }

private:
  std::unordered_map<std::string_view, const ResolvedUse *> uses_;
  NameIndex<EventSurface> own_events_;
};

// 02 §2.3 steps 2, 3 and 5.
void add_own_resources(Analysis &analysis, const Manifest &contract) {
  const auto &model = contract.model();
  const auto add = [&](ResourceNeed need) {
    auto &needs = need.required ? analysis.required : analysis.optional;
    needs.resources.push_back(std::move(need));
  };
  std::unordered_set<std::string_view> exported;
  if (model.exports) exported.insert(names_in(*model.exports).begin(), names_in(*model.exports).end());
  if (model.resources) {
    for (const auto &[alias, kv] : entries_of(model.resources->kv))
      add(kv_need(alias, kv, exported.contains(kv.schema)));
    for (const auto &[alias, store] : entries_of(model.resources->store))
      add(store_need(alias, store));
  }
  for (const auto &[queue, job] : entries_of(model.jobs))
    add(jobs_need(queue, job));
  for (const auto &[name, rpc] : entries_of(model.rpc))
    if (rpc.transfer_receive) add(receive_need(contract.id(), name, true));
  for (const auto &[name, operation] : entries_of(model.operations))
    if (operation.transfer) add(send_need(contract.id(), name, *operation.transfer, true));
}

std::vector<Surface> provided_surfaces(const Manifest &contract) {
  std::vector<Surface> provided;
  const auto add = [&](SurfaceKind kind, const std::string &name, SurfaceAction action) {
    provided.push_back({contract.id(), kind, name, action});
  };
  const auto &model = contract.model();
  for (const auto &[name, rpc] : entries_of(model.rpc))
    add(SurfaceKind::rpc, name, SurfaceAction::call);
  for (const auto &[name, operation] : entries_of(model.operations)) {
    add(SurfaceKind::operation, name, SurfaceAction::call);
    add(SurfaceKind::operation, name, SurfaceAction::observe);
    if (can_cancel(operation)) add(SurfaceKind::operation, name, SurfaceAction::cancel);
  }
  for (const auto &[name, event] : entries_of(model.events)) {
    add(SurfaceKind::event, name, SurfaceAction::publish);
    add(SurfaceKind::event, name, SurfaceAction::subscribe);
  }
  for (const auto &[name, feed] : entries_of(model.feeds))
    add(SurfaceKind::feed, name, SurfaceAction::subscribe);
  return provided;
}

// Every key in a list of an own surface, whether the list counts or not.
std::vector<std::string_view> keys_of_own_lists(const ManifestModel &model) {
  std::vector<std::string_view> keys;
  const auto add = [&](const std::optional<NameList> &list) {
    keys.insert(keys.end(), names_in(list).begin(), names_in(list).end());
  };
  for (const auto &[name, rpc] : entries_of(model.rpc))
    add(rpc.call);
  for (const auto &[name, operation] : entries_of(model.operations)) {
    const auto &lists = lists_of(operation);
    for (const auto *list : {&lists.call, &lists.observe, &lists.cancel, &lists.control})
      add(*list);
  }
  for (const auto &[name, event] : entries_of(model.events)) {
    add(lists_of(event).publish);
    add(lists_of(event).subscribe);
  }
  for (const auto &[name, feed] : entries_of(model.feeds))
    add(feed.subscribe);
  return keys;
}

// 02 §2.5.
class Definitions {
public:
  explicit Definitions(const ManifestModel &model) : declared_(model.capabilities) {}

  enum class Direction { creates, given };

  void add(std::string_view key, Direction direction) {
    auto &seen = direction == Direction::creates ? created_ : given_;
    if (!seen.emplace(key).second) return;
    const auto *text = declared_.find(key);
    CapabilityDefinition definition;
    definition.key = key;
    definition.display_name = text ? text->display_name : definition.key;
    definition.description = text ? text->description : "Requires " + definition.key + ".";
    if (text) definition.consequence = text->consequence;
    definition.direction = direction == Direction::creates ? "creates" : "given";
    list.push_back(std::move(definition));
  }

  std::vector<CapabilityDefinition> list;

private:
  NameIndex<CapabilityText> declared_;
  std::unordered_set<std::string> created_, given_;
};

std::vector<CapabilityDefinition> definitions_of(const ManifestModel &model, const Needs &requested) {
  Definitions definitions(model);
  for (const auto &[key, text] : entries_of(model.capabilities))
    definitions.add(key, Definitions::Direction::creates);
  for (const auto key : keys_of_own_lists(model))
    definitions.add(key, Definitions::Direction::creates);
  for (const auto &need : requested.capabilities)
    definitions.add(need.capability, Definitions::Direction::given);
  return std::move(definitions.list);
}

} // namespace

Needs Analysis::requested() const {
  return merge_needs({&required, &optional, &contributed});
}

Result<Analysis> analyze(const Manifest &contract, const KnownContracts &known, Resolution resolution) {
  Targets targets(known, resolution);
  const auto uses = resolve_uses(contract, targets);
  if (!uses) return tl::make_unexpected(uses.error());

  Analysis analysis;
  for (const auto &use : *uses) {
    if (use.target)
      UseNeeds(use.required ? analysis.required : analysis.optional, use).add();
    else if (use.required)
      analysis.required.contracts.push_back({use.use->contract, true});
  }
  add_own_resources(analysis, contract);
  const ConsumerEvents consumer_events(contract, *uses);
  for (const auto &[name, group] : entries_of(contract.model().event_consumers)) {
    const auto events = consumer_events.select(name, group);
    if (!events) return tl::make_unexpected(events.error());
    analysis.required.resources.push_back(event_consumer_need(name, group, *events));
  }
  analysis.contributed.contracts.push_back({contract.id(), true});
  analysis.required = merge_needs({&analysis.required});
  analysis.optional = merge_needs({&analysis.optional});
  analysis.provided = provided_surfaces(contract);
  analysis.definitions = definitions_of(contract.model(), analysis.requested());
  return analysis;
}

} // namespace trellis
