#include "contracts/schema_formats.h"
#include "contracts/schema_grammars.h"
#include "contracts/schema_regex.h"
#include "contracts/schema_text.h"

#include <algorithm>
#include <array>

namespace trellis::schema {
namespace {

struct NamedFormat {
  Format format;
  std::string_view name;
};

constexpr std::array kFormats = std::to_array<NamedFormat>({
    {Format::date_time, "date-time"},
    {Format::date, "date"},
    {Format::time, "time"},
    {Format::duration, "duration"},
    {Format::email, "email"},
    {Format::hostname, "hostname"},
    {Format::idn_email, "idn-email"},
    {Format::idn_hostname, "idn-hostname"},
    {Format::ipv4, "ipv4"},
    {Format::ipv6, "ipv6"},
    {Format::iri, "iri"},
    {Format::iri_reference, "iri-reference"},
    {Format::json_pointer, "json-pointer"},
    {Format::json_pointer_uri_fragment, "json-pointer-uri-fragment"},
    {Format::relative_json_pointer, "relative-json-pointer"},
    {Format::regex, "regex"},
    {Format::uri, "uri"},
    {Format::uri_reference, "uri-reference"},
    {Format::uri_template, "uri-template"},
    {Format::url, "url"},
    {Format::uuid, "uuid"},
});

bool is_pointer_character(std::string_view text, std::size_t &at) {
  if (text[at] != '~') return true;
  ++at;
  return at < text.size() && (text[at] == '0' || text[at] == '1');
}

bool is_fragment_character(std::string_view text, std::size_t &at) {
  if (text[at] == '~') return is_pointer_character(text, at);
  if (text[at] == '%') {
    if (text.size() - at < 3 || hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) return false;
    at += 2;
    return true;
  }
  static constexpr std::string_view kOthers = "-._!$&'()*+,;=:@/?";
  return is_ascii_alphanumeric(static_cast<unsigned char>(text[at])) ||
         kOthers.find(text[at]) != std::string_view::npos;
}

} // namespace

bool is_json_pointer(std::string_view text) {
  if (!text.empty() && text[0] != '/') return false;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (!is_pointer_character(text, at)) return false;
  return true;
}

bool is_json_pointer_uri_fragment(std::string_view text) {
  if (text.empty() || text[0] != '#' || (text.size() > 1 && text[1] != '/')) return false;
  for (std::size_t at = 1; at < text.size(); ++at)
    if (!is_fragment_character(text, at)) return false;
  return true;
}

bool is_relative_json_pointer(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || (digits > 1 && text[0] == '0')) return false;
  return text.substr(digits) == "#" || is_json_pointer(text.substr(digits));
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : hex_value(text[i]) < 0) return false;
  }
  return true;
}

std::optional<Format> format_named(std::string_view name) {
  const auto *found = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto &one) { return one.name == name; });
  return found == kFormats.end() ? std::nullopt : std::optional(found->format);
}

std::string_view format_name(Format format) {
  for (const auto &one : kFormats)
    if (one.format == format) return one.name;
  return {};
}

bool has_format(Format format, std::string_view text) {
  switch (format) {
  case Format::date_time: return is_date_time(text);
  case Format::date: return is_date(text);
  case Format::time: return is_time(text);
  case Format::duration: return is_duration(text);
  case Format::email: return is_email(text, Charset::ascii);
  case Format::hostname: return is_hostname(text);
  case Format::idn_email: return is_email(text, Charset::international);
  case Format::idn_hostname: return is_idn_hostname(text);
  case Format::ipv4: return is_ipv4(text);
  case Format::ipv6: return is_ipv6(text);
  case Format::iri: return is_uri(text, Charset::international);
  case Format::iri_reference: return is_uri_reference(text, Charset::international);
  case Format::json_pointer: return is_json_pointer(text);
  case Format::json_pointer_uri_fragment: return is_json_pointer_uri_fragment(text);
  case Format::relative_json_pointer: return is_relative_json_pointer(text);
  case Format::regex: return pcre2_from_ecmascript(text).has_value();
  case Format::uri: return is_uri(text, Charset::ascii);
  case Format::uri_reference: return is_uri_reference(text, Charset::ascii);
  case Format::uri_template: return is_uri_template(text);
  case Format::url: return is_url(text);
  case Format::uuid: return is_uuid(text);
  }
  return true;
}

} // namespace trellis::schema
