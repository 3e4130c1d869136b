// The pages that are built in: generated at build time from plugins/auth/portal.
#pragma once

#include <optional>
#include <string_view>

namespace trellis::auth {

// `path` begins with a slash, like a path below a portal folder: "/200.html", "/_trellis/assets/portal.js".
std::optional<std::string_view> builtin_portal_file(std::string_view path);

} // namespace trellis::auth
