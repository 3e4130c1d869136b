// Desired states by member (02 §16, §4.5): one row for each contract, surface, resource and capability.
#pragma once

#include "contracts/authority.h"
#include "store/sql.h"
#include <string_view>

namespace trellis::auth {

DesiredState read_desired_state(Reader &db, std::string_view deployment_id); // each list in the order of its key
void replace_desired_state(Writer &db, std::string_view deployment_id, const DesiredState &desired);

} // namespace trellis::auth
