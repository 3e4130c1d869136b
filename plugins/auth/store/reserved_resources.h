// Names of resources that a reconciliation is about to create, stored before it does.
//
// Names are random (02 §7.2) and the bindings that hold them are stored when a run has ended. A process that dies in
// between would leave streams behind that nobody knows, with each attempt some more. So a run first reserves the names
// that it made up; the next one takes them up again, and finds what was created under them. A run that succeeds stores
// bindings and drops the reservations in one transaction. Rejected: storing the bindings themselves early. They are
// what services are told and get permissions for.
#pragma once

#include "store/authority.h"
#include <string_view>
#include <vector>

namespace trellis::auth {

std::vector<StoredBinding> reserved_resources(Reader &db, std::string_view deployment_id); // by kind, alias
void reserve_resource(Writer &db, std::string_view deployment_id, const StoredBinding &binding);
void drop_reserved_resources(Writer &db, std::string_view deployment_id);

} // namespace trellis::auth
