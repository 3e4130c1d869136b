#include "resources.h"
#include "contracts/authority_json.h"
#include "contracts/resource_bindings.h"
#include <map>

namespace trellis::auth {

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

std::vector<BindingRef> binding_refs(const std::vector<StoredBinding> &bindings) {
  std::vector<BindingRef> out;
  for (const StoredBinding &binding : bindings)
    if (const auto kind = resource_kind_of(binding.kind)) out.push_back({*kind, binding.alias, binding.binding});
  return out;
}

std::string bound_resources_json(const std::vector<StoredBinding> &bindings,
                                 const std::vector<ResourceNeed> &requested) {
  return trellis::bound_resources_json(binding_refs(bindings), requested);
}

} // namespace trellis::auth
