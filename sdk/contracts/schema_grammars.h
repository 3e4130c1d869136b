// The grammars behind the formats (schema_formats.h), one function for each; internal to schema_*.cpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace trellis::schema {

// Whether characters beyond ASCII take part where the RFC has an internationalized sister.
enum class Charset : std::uint8_t { ascii, international };

// RFC 3339. A time and a date-time need a zone; 60 seconds only where 23:59:60 UTC is.
bool is_date(std::string_view text);
bool is_time(std::string_view text);
bool is_date_time(std::string_view text);
bool is_duration(std::string_view text); // its appendix A

bool is_ipv4(std::string_view text); // four decimal numbers without leading zeros
bool is_ipv6(std::string_view text); // RFC 4291 §2.2, without a zone

// RFC 3986 and 3987. A reference may be relative.
bool is_uri(std::string_view text, Charset charset);
bool is_uri_reference(std::string_view text, Charset charset);
bool is_url(std::string_view text);          // a URI or IRI that names a host where its scheme has one
bool is_uri_template(std::string_view text); // RFC 6570

bool is_email(std::string_view text, Charset charset); // the Mailbox of RFC 5321, RFC 6531
bool is_hostname(std::string_view text);               // RFC 1123, with A-labels by RFC 5891
bool is_idn_hostname(std::string_view text);           // RFC 5890 to 5893

bool is_json_pointer(std::string_view text);              // RFC 6901
bool is_json_pointer_uri_fragment(std::string_view text); // RFC 6901 §6
bool is_relative_json_pointer(std::string_view text);
bool is_uuid(std::string_view text); // 8-4-4-4-12, any version

} // namespace trellis::schema
