// Origins of the configuration (04 §20.3): loopback names made one, and where http and ws may stay unencrypted.
#pragma once

#include "wire/url.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

bool is_loopback(const Url &url); // localhost, 127.0.0.1, ::1
// A URL written again, with host localhost for every loopback host and without a final slash; other texts stay.
std::string canonical_location(std::string_view text);
// The same for each, without repetitions.
std::vector<std::string> canonical_locations(const std::vector<std::string> &texts);
// May `url` be used without TLS: loopback, or its origin is listed?
bool may_be_insecure(const Url &url, const std::vector<std::string> &allowed_origins);
// "scheme://host:port", or "" when the text is no URL with one.
std::string origin_of(std::string_view text);

} // namespace trellis::auth
