#include "resources.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <map>
#include <rapidjson/document.h>
#include <tuple>

namespace trellis::auth {
namespace {

std::string members_without(const JsonValue &object, std::initializer_list<std::string_view> left_out) {
  JsonObjectText out;
  for (const auto &member : object.GetObject())
    if (std::ranges::find(left_out, text_of(member.name)) == left_out.end())
      out.json(text_of(member.name), to_json(member.value));
  return out.str();
}

// The bindings of one kind by alias. `write` gives the JSON of one.
template <class Write>
std::optional<std::string> section(const std::vector<const StoredBinding *> &bindings, std::string_view kind,
                                   const Write &write) {
  JsonObjectText out;
  bool any = false;
  for (const StoredBinding *binding : bindings)
    if (binding->kind == kind) {
      out.json(binding->alias, write(*binding));
      any = true;
    }
  if (!any) return std::nullopt;
  return out.str();
}

// 02 §7.4: namespace and work stream are those of the first record.
std::optional<std::string> jobs_section(const std::vector<const StoredBinding *> &bindings) {
  JsonObjectText out;
  const auto queues = section(bindings, "jobs", [](const StoredBinding &binding) {
    const auto queue = parse_json(binding.binding);
    return queue && queue->IsObject() ? members_without(*queue, {"namespace", "workStream"}) : std::string("{}");
  });
  if (!queues) return std::nullopt;
  const auto first = std::ranges::find(bindings, std::string_view("jobs"), &StoredBinding::kind);
  if (const auto record = parse_json((*first)->binding); record)
    for (const char *name : {"namespace", "workStream"})
      if (const JsonValue *value = find_member(*record, name)) out.json(name, to_json(*value));
  return out.json("queues", *queues).str();
}

} // namespace

std::vector<ResourceNeed> desired_resources(const DesiredState &desired) {
  std::map<std::pair<std::string_view, std::string_view>, const ResourceNeed *> by_key; // in "<kind>:<alias>" order
  for (const auto *list : {&desired.needs.resources, &desired.resources})
    for (const ResourceNeed &need : *list)
      if (need.kind != ResourceKind::transfer) by_key[{resource_kind_name(need.kind), need.alias}] = &need;
  std::vector<ResourceNeed> out;
  for (const auto &[key, need] : by_key)
    out.push_back(*need);
  return out;
}

std::string bound_resources_json(const std::vector<StoredBinding> &bindings,
                                 const std::vector<ResourceNeed> &requested) {
  const auto is_requested = [&](const StoredBinding &binding) {
    return std::ranges::any_of(requested, [&](const ResourceNeed &need) {
      return binding.kind == resource_kind_name(need.kind) && binding.alias == need.alias;
    });
  };
  std::vector<const StoredBinding *> bound;
  for (const StoredBinding &binding : bindings)
    if (is_requested(binding)) bound.push_back(&binding);
  std::ranges::sort(bound, {}, [](const StoredBinding *binding) {
    return std::tuple(std::string_view(binding->kind), std::string_view(binding->alias));
  });
  const auto whole = [](const StoredBinding &binding) { return binding.binding; };
  JsonObjectText out;
  if (const auto kv = section(bound, "kv", whole)) out.json("kv", *kv);
  if (const auto store = section(bound, "store", whole)) out.json("store", *store);
  if (const auto consumers = section(bound, "event-consumer", whole)) out.json("eventConsumers", *consumers);
  if (const auto jobs = jobs_section(bound)) out.json("jobs", *jobs);
  return out.str();
}

} // namespace trellis::auth
