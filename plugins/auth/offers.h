// Implementation offers: a service instance runs a contract (02 §11.1, 04 §7.2).
#pragma once

#include "store/authority.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

// The digest of the latest accepted offer of a lineage, stale ones included (02 §4.4).
std::optional<std::string> latest_accepted_digest(Reader &db, std::string_view deployment_id,
                                                  std::string_view contract_id);

// Records that the instance offers the digest, and stales what it supersedes. True when that changed what is active.
bool record_offer(Writer &db, std::string_view deployment_id, std::string_view instance_id,
                  std::string_view contract_id, std::string_view digest, UnixMs now);

// Accepted offers leave the catalog with whoever made them. Without `instance_id`: those of the whole deployment.
void end_offers(Writer &db, std::string_view deployment_id, const std::optional<std::string> &instance_id, UnixMs now);

} // namespace trellis::auth
