#include "store/stored_json.h"

#include "contracts/authority_json.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20; // ours: larger than a contract's needs, smaller than a mistake

template <class Read>
auto stored(std::string_view json, Read read) {
  const auto parsed = parse_json(json, {.max_bytes = kMaxBytes});
  if (!parsed) throw storage_error("a stored record", parsed.error().text());
  auto value = read(*parsed);
  if (!value) throw storage_error("a stored record", value.error().text());
  return std::move(*value);
}

template <class Kind>
Kind known(std::optional<Kind> kind, std::string_view name) {
  if (!kind) throw storage_error("a stored record", "is of the unknown kind " + std::string(name));
  return *kind;
}

} // namespace

Needs stored_needs(std::string_view json) {
  return stored(json, needs_from_json);
}
std::vector<Surface> stored_surfaces(std::string_view json) {
  return stored(json, surfaces_from_json);
}
Grants stored_grants(std::string_view json) {
  return stored(json, grants_from_json);
}

SurfaceKind stored_surface_kind(std::string_view name) {
  return known(surface_kind_of(name), name);
}
SurfaceAction stored_surface_action(std::string_view name) {
  return name.empty() ? SurfaceAction::none : known(surface_action_of(name), name);
}
ResourceKind stored_resource_kind(std::string_view name) {
  return known(resource_kind_of(name), name);
}

} // namespace trellis::auth
