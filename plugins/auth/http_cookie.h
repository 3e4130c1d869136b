// The one cookie of the login flows (04 §3.7).
#pragma once

#include "config.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

inline constexpr char kOauthCookie[] = "trellis_oauth";

// The first pair of exactly that name, decoded; nullopt when there is none or it can't be decoded.
std::optional<std::string> cookie_value(std::string_view header, std::string_view name);
// Is the cookie sent over TLS only? Everything does but http on loopback and on the listed origins.
bool secure_cookie(const std::optional<std::string> &public_origin, std::string_view redirect_base,
                   const std::vector<std::string> &allow_insecure_origins);

} // namespace trellis::auth
