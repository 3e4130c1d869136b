// trellis.core@v1 (02 §12, 05 §7): what participants ask about contracts, bindings and surfaces.
#pragma once

#include "authority_context.h"
#include <string>
#include <string_view>

namespace trellis::auth {

Result<std::string> catalog_reply(AuthorityContext &context);
Result<std::string> contract_reply(AuthorityContext &context, std::string_view input);
// `caller`: the caller object's JSON (03 §10).
Result<std::string> bindings_reply(AuthorityContext &context, std::string_view input, std::string_view caller);
Result<std::string> surface_status_reply(AuthorityContext &context, std::string_view input, std::string_view caller);

} // namespace trellis::auth
