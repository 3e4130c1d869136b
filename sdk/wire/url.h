// Absolute URLs as browsers read them (WHATWG URL), because login proofs are verified over the text that a browser
// would send (03 §11.2).
//
// General URL libraries follow RFC 3986 and keep spellings that browsers rewrite (backslashes, dot segments, 127.1);
// a difference is either a login that fails or an origin check that is passed by another site. Left out: relative
// references (the protocol has none), `file:`, and hosts with characters outside ASCII, which are refused with
// "url_host_not_ascii" instead of being converted (their sender writes the xn-- form).
#pragma once

#include "contracts/result.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

struct Url {
  std::string scheme; // lower case, without the colon
  std::string username;
  std::string password;
  std::optional<std::string> host;   // as it is written: lower case, IPv6 in brackets
  std::optional<std::uint16_t> port; // absent when it is the scheme's default
  std::string path;
  std::optional<std::string> query;    // without "?"
  std::optional<std::string> fragment; // without "#"

  std::string text() const;
  // "scheme://host:port" of the schemes that browsers fetch, "null" for all others.
  std::string origin() const;
};

// Errors: "url_invalid", "url_host", "url_host_not_ascii", "url_port", "url_scheme" (none, or `file`).
Result<Url> parse_url(std::string_view text);

// http, https, ws, wss, ftp: schemes whose URLs always have a host.
bool is_special_scheme(std::string_view scheme);

} // namespace trellis
