#include "hosting/handler_table.h"

#include "abi/abi_values.h"
#include "contracts/json_write.h"
#include "wire/health_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <trellis/plugin.h>

namespace trellis::host {
namespace {

template <class Section>
bool any_in(const std::optional<Section> &section) {
  return section && !section->empty();
}

constexpr std::uint32_t kMaxHandlers = 65536; // far more than a contract can declare: the count is garbage

template <class Surface>
bool declares(const std::optional<Named<Surface>> &section, std::string_view name) {
  return section && find_named(*section, name);
}

bool lists(const std::optional<NameList> &list, std::string_view name) {
  return list && std::ranges::find(*list, name) != list->end();
}

bool uses_event(const std::optional<Named<Use>> &uses, std::string_view contract_id, std::string_view name) {
  return uses && std::ranges::any_of(*uses, [&](const auto &entry) {
           const Use &use = entry.second;
           return use.contract == contract_id && use.events && lists(use.events->subscribe, name);
         });
}

// An own event, or one that `uses` subscribes to.
bool may_listen(const Manifest &own, std::string_view contract_id, std::string_view name) {
  const auto &model = own.model();
  if (contract_id == own.id()) return declares(model.events, name);
  return model.uses &&
         (uses_event(model.uses->required, contract_id, name) || uses_event(model.uses->optional, contract_id, name));
}

// Whether the consumer group lists that event. `group` == nullptr: there is no such group.
bool group_lists(const Manifest &own, const EventConsumerGroup *group, std::string_view contract_id,
                 std::string_view name) {
  if (!group) return false;
  if (contract_id == own.id()) return lists(group->self, name);
  const auto &uses = own.model().uses;
  if (!group->uses || !uses) return false;
  return std::ranges::any_of(*group->uses, [&](const auto &entry) {
    for (const auto *aliases : {&uses->required, &uses->optional})
      if (const Use *use = *aliases ? find_named(**aliases, entry.first) : nullptr)
        return use->contract == contract_id && std::ranges::find(entry.second, name) != entry.second.end();
    return false;
  });
}

// For messages: a name that a plugin gives may be of any length, and no text.
std::string shown(std::string_view name) {
  constexpr std::size_t kMost = 200;
  return utf8_text(name.substr(0, kMost)) + (name.size() > kMost ? "..." : "");
}

std::string describe(std::uint32_t kind, std::string_view contract_id, std::string_view name) {
  const char *const word = kind == TRELLIS_SURFACE_RPC ? "rpc" : kind == TRELLIS_SURFACE_FEED ? "feed" : "event";
  return std::string(word) + " \"" + shown(name) + "\" of " + shown(contract_id);
}

bool has_function(const trellis_handler &handler) {
  switch (handler.kind) {
  case TRELLIS_SURFACE_RPC: return TRELLIS_HAS(trellis_handler, &handler, rpc) && handler.rpc;
  case TRELLIS_SURFACE_EVENT: return TRELLIS_HAS(trellis_handler, &handler, event) && handler.event;
  default: return TRELLIS_HAS(trellis_handler, &handler, feed) && handler.feed;
  }
}

// One check of a table, with what it has seen so far.
class TableCheck {
public:
  TableCheck(const std::vector<Manifest> &manifests, PluginRole role, const std::vector<std::string> &answered)
      : manifests_(manifests), is_control_plane_(role == PluginRole::control_plane), answered_(answered) {}

  std::vector<std::string> run(const trellis_plugin &plugin) {
    if (plugin.handler_count > kMaxHandlers || (plugin.handler_count > 0 && !plugin.handlers)) {
      problem("the table has " + std::to_string(plugin.handler_count) + " handlers" +
              (plugin.handlers ? ", more than " + std::to_string(kMaxHandlers) : " and is NULL"));
      return std::move(problems_);
    }
    for (std::uint32_t i = 0; i < plugin.handler_count; ++i) {
      const trellis_handler *handler = plugin.handlers[i];
      if (!handler || !TRELLIS_HAS(trellis_handler, handler, name))
        problems_.push_back("handler " + std::to_string(i) + " is NULL or too small");
      else
        check(*handler);
    }
    for (const auto &manifest : manifests_)
      find_missing(manifest);
    return std::move(problems_);
  }

private:
  using Names = std::set<std::pair<std::uint32_t, std::string>>; // kind and name

  void check(const trellis_handler &handler) {
    const auto contract_id = view(handler.contract_id), name = view(handler.name);
    if (handler.kind != TRELLIS_SURFACE_RPC && handler.kind != TRELLIS_SURFACE_EVENT &&
        handler.kind != TRELLIS_SURFACE_FEED)
      return problem("handler \"" + shown(name) + "\" is of the unknown kind " + std::to_string(handler.kind));
    const std::string what = describe(handler.kind, contract_id, name);
    const bool function = has_function(handler);
    if (handler.kind == TRELLIS_SURFACE_EVENT) return check_listener(handler, what, function);
    const auto manifest = std::ranges::find(manifests_, contract_id, &Manifest::id);
    const bool declared =
        manifest != manifests_.end() && (handler.kind == TRELLIS_SURFACE_RPC ? manifest->rpc(name) != nullptr
                                                                             : declares(manifest->model().feeds, name));
    if (!declared)
      problem(what + " has a handler, but the contract doesn't declare it");
    else if (!function && !is_control_plane_)
      problem(what + " has a handler without a function");
    else if (!served_[std::string(contract_id)].emplace(handler.kind, name).second)
      problem(what + " has two handlers");
  }

  void check_listener(const trellis_handler &handler, const std::string &what, bool function) {
    const auto contract_id = view(handler.contract_id), name = view(handler.name);
    const bool declared =
        std::ranges::any_of(manifests_, [&](const Manifest &own) { return may_listen(own, contract_id, name); });
    if (!declared) return problem(what + " has a listener, but the contract neither owns it nor uses it to subscribe");
    if (!function) return problem(what + " has a listener without a function");
    const auto group = TRELLIS_HAS(trellis_handler, &handler, group) ? view(handler.group) : std::string_view{};
    if (group.empty()) return;
    const bool in_group = std::ranges::any_of(manifests_, [&](const Manifest &own) {
      const auto &groups = own.model().event_consumers;
      return group_lists(own, groups ? find_named(*groups, group) : nullptr, contract_id, name);
    });
    if (!in_group) problem(what + " has a listener in the group \"" + shown(group) + "\", which doesn't list it");
  }

  void find_missing(const Manifest &manifest) {
    const auto &names = served_[manifest.id()];
    if (is_control_plane_ && names.empty()) return;
    const auto &model = manifest.model();
    if (model.rpc)
      for (const auto &[name, surface] : *model.rpc)
        if (std::ranges::find(answered_, name) == answered_.end())
          find_missing(names, TRELLIS_SURFACE_RPC, manifest, name);
    if (model.feeds && !is_control_plane_)
      for (const auto &[name, surface] : *model.feeds)
        find_missing(names, TRELLIS_SURFACE_FEED, manifest, name);
  }

  void find_missing(const Names &names, std::uint32_t kind, const Manifest &manifest, const std::string &name) {
    if (!names.contains({kind, name}))
      problem(describe(kind, manifest.id(), name) + " is in the contract, but has no handler");
  }

  void problem(std::string text) { problems_.push_back(std::move(text)); }

  const std::vector<Manifest> &manifests_;
  const bool is_control_plane_;
  const std::vector<std::string> &answered_; // by the host
  std::vector<std::string> problems_;
  std::map<std::string, Names, std::less<>> served_; // by contract id
};

} // namespace

std::vector<std::string> unserved_surfaces(const Manifest &manifest) {
  const auto &model = manifest.model();
  std::vector<std::string> unserved;
  if (any_in(model.operations)) unserved.emplace_back("operations: no provider is enabled for them");
  if (any_in(model.jobs)) unserved.emplace_back("jobs: no provider is enabled for them");
  if (any_in(model.state)) unserved.emplace_back("state: this host doesn't serve it");
  if (model.resources && (any_in(model.resources->kv) || any_in(model.resources->store)))
    unserved.emplace_back("resources: this host's policy can't create them");
  return unserved;
}

std::vector<std::string> table_disagreements(const trellis_plugin &plugin, const std::vector<Manifest> &manifests,
                                             PluginRole role, const std::vector<std::string> &answered) {
  return TableCheck(manifests, role, answered).run(plugin);
}

std::vector<std::string> unserved_handlers(const trellis_plugin &plugin) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < plugin.handler_count; ++i)
    if (!has_function(*plugin.handlers[i])) names.emplace_back(view(plugin.handlers[i]->name));
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> host_answered_rpcs(std::string_view plugin, std::string_view program) {
  return {health_method(plugin), health_method(program)};
}

} // namespace trellis::host
