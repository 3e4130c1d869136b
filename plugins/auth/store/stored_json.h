// Needs, surfaces and grants as stored JSON; what can't be read throws SqlError ("storage"), as every failure of a row
// does.
#pragma once

#include "contracts/authority.h"
#include "store/sql.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

Needs stored_needs(std::string_view json);
std::vector<Surface> stored_surfaces(std::string_view json);
Grants stored_grants(std::string_view json);

// Kinds as columns.
SurfaceKind stored_surface_kind(std::string_view name);
SurfaceAction stored_surface_action(std::string_view name); // "" is none
ResourceKind stored_resource_kind(std::string_view name);

} // namespace trellis::auth
