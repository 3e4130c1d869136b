// The values of `format` that are asserted (01 §4.2), each by the grammar of its RFC.
//
// Written out instead of as patterns: a format is checked on each request, and a grammar in code says which rule
// refuses what, costs no budget of steps and allocates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace trellis::schema {

enum class Format : std::uint8_t {
  date_time,
  date,
  time,
  duration,
  email,
  hostname,
  idn_email,
  idn_hostname,
  ipv4,
  ipv6,
  iri,
  iri_reference,
  json_pointer,
  json_pointer_uri_fragment,
  relative_json_pointer,
  regex,
  uri,
  uri_reference,
  uri_template,
  url,
  uuid,
};

// Nothing for a name that isn't asserted.
std::optional<Format> format_named(std::string_view name);
std::string_view format_name(Format format);
bool has_format(Format format, std::string_view text);

} // namespace trellis::schema
