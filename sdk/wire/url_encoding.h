// The percent-encode sets of WHATWG URL and the host parser, for wire/url.cpp.
#pragma once

#include "contracts/result.h"
#include <string>
#include <string_view>

namespace trellis::url {

enum class EncodeSet { c0_control, fragment, query, special_query, path, userinfo };

// Appends `text` with the bytes of `set`, and all bytes outside ASCII, as %XX.
void append_encoded(std::string &out, std::string_view text, EncodeSet set);
// Replaces %XX by its byte; anything else stays.
std::string percent_decode(std::string_view text);
// Bytes that are no UTF-8 become U+FFFD, as in every string that reaches a browser's parser.
std::string to_utf8(std::string_view text);

// The written form of a host: domain, IPv4 or IPv6 for special schemes, else an opaque host.
Result<std::string> parse_host(std::string_view text, bool special);

} // namespace trellis::url
