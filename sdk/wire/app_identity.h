// Who asks at a login: a contract, from the web origin that the browser goes back to (02 §14.4 step 1).
//
// Beside the URL parser and not in contracts/authority_plan.h, where the decision is: contracts know no URLs.
#pragma once

#include "contracts/authority_plan.h"
#include <string_view>

namespace trellis {

// `origin` is set when `redirect_to` is an absolute URL; that of custom schemes is the text "null".
AppIdentity app_identity(std::string_view contract_id, std::string_view redirect_to);

} // namespace trellis
