// `resources` of a bootstrap's binding (resource_bindings.h): stored bindings merged by kind (02 §7.4).
#include "contracts/json_write.h"
#include "contracts/resource_bindings.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <tuple>

namespace trellis {
namespace {

std::string members_without(const JsonValue &object, std::initializer_list<std::string_view> left_out) {
  JsonObjectText out;
  for (const auto &member : object.GetObject())
    if (std::ranges::find(left_out, text_of(member.name)) == left_out.end())
      out.json(text_of(member.name), to_json(member.value));
  return out.str();
}

// The bindings of one kind by alias; `write` gives the JSON of one.
template <class Write>
std::optional<std::string> section(const std::vector<BindingRef> &bindings, ResourceKind kind, const Write &write) {
  JsonObjectText out;
  bool any = false;
  for (const BindingRef &binding : bindings)
    if (binding.kind == kind) {
      out.json(binding.alias, write(binding));
      any = true;
    }
  if (!any) return std::nullopt;
  return out.str();
}

std::optional<std::string> jobs_section(const std::vector<BindingRef> &bindings) {
  const auto queues = section(bindings, ResourceKind::jobs, [](const BindingRef &binding) {
    const auto queue = parse_json(binding.binding);
    return queue && queue->IsObject() ? members_without(*queue, {"namespace", "workStream"}) : std::string("{}");
  });
  if (!queues) return std::nullopt;
  JsonObjectText out;
  const auto first = std::ranges::find(bindings, ResourceKind::jobs, &BindingRef::kind);
  if (const auto record = parse_json(first->binding); record)
    for (const char *name : {"namespace", "workStream"})
      if (const JsonValue *value = find_member(*record, name)) out.json(name, to_json(*value));
  return out.json("queues", *queues).str();
}

} // namespace

std::string bound_resources_json(std::vector<BindingRef> bindings, const std::vector<ResourceNeed> &requested) {
  std::erase_if(bindings, [&](const BindingRef &binding) {
    return std::ranges::none_of(
        requested, [&](const ResourceNeed &need) { return binding.kind == need.kind && binding.alias == need.alias; });
  });
  std::ranges::sort(bindings, {}, [](const BindingRef &binding) {
    return std::tuple(resource_kind_name(binding.kind), std::string_view(binding.alias));
  });
  const auto whole = [](const BindingRef &binding) { return binding.binding; };
  JsonObjectText out;
  if (const auto kv = section(bindings, ResourceKind::kv, whole)) out.json("kv", *kv);
  if (const auto store = section(bindings, ResourceKind::store, whole)) out.json("store", *store);
  if (const auto consumers = section(bindings, ResourceKind::event_consumer, whole))
    out.json("eventConsumers", *consumers);
  if (const auto jobs = jobs_section(bindings)) out.json("jobs", *jobs);
  return out.str();
}

} // namespace trellis
