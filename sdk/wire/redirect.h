// Where a login may send the browser back to (04 §8.2), in the form that the `oauth-init` proof covers (03 §11.2).
#pragma once

#include "contracts/result.h"
#include <span>
#include <string>
#include <string_view>

namespace trellis {

// `redirect_to` as it is used and signed: a path verbatim, an absolute http or https URL as its WHATWG text. Allowed
// are hosts localhost and 127.0.0.1, and origins in `allowed_origins` (compared as text; "*" allows all).
// Error "invalid_redirect". A path "/\..." passes, as existing servers accept it: whoever builds a Location from a
// path must resolve it against the own origin and not pass it on as it is.
Result<std::string> validate_redirect(std::string_view redirect_to, std::span<const std::string> allowed_origins);

} // namespace trellis
