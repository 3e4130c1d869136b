#include "contracts/schema_grammars.h"
#include "contracts/schema_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace trellis::schema {
namespace {

constexpr std::string_view kUnreservedMarks = "-._~";
constexpr std::string_view kSubDelimiters = "!$&'()*+,;=";

bool is_one_of(char32_t c, std::string_view set) {
  return c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_private(char32_t c) { // iprivate of RFC 3987
  return (c >= 0xE000 && c <= 0xF8FF) || (c >= 0xF0000 && c <= 0xFFFFD) || (c >= 0x100000 && c <= 0x10FFFD);
}

bool is_universal(char32_t c) { // ucschar of RFC 3987
  if (c < 0x10000) return (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xF900 && c <= 0xFDCF) || (c >= 0xFDF0 && c <= 0xFFEF);
  return c <= 0xEFFFD && (c & 0xFFFF) <= 0xFFFD && (c < 0xE0000 || c >= 0xE1000);
}

bool is_escape(std::string_view text, std::size_t at) { // %41
  return text.size() - at >= 3 && text[at] == '%' && hex_value(text[at + 1]) >= 0 && hex_value(text[at + 2]) >= 0;
}

// Unreserved characters, sub-delimiters, escapes, and the `others`.
bool consists_of(std::string_view text, std::string_view others, Charset charset, bool with_private = false) {
  for (std::size_t at = 0; at < text.size();) {
    if (is_escape(text, at)) {
      at += 3;
      continue;
    }
    const char32_t c = next_code_point(text, at);
    if (is_ascii_alphanumeric(c) || is_one_of(c, kUnreservedMarks) || is_one_of(c, kSubDelimiters)) continue;
    if (is_one_of(c, others)) continue;
    const bool beyond = charset == Charset::international && (is_universal(c) || (with_private && is_private(c)));
    if (!beyond) return false;
  }
  return true;
}

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_ascii_digit(static_cast<unsigned char>(c)); });
}

bool is_future_address(std::string_view text) { // IPvFuture: "v1.something"
  if (text.empty() || (text[0] != 'v' && text[0] != 'V')) return false;
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || dot < 2 || dot + 1 == text.size()) return false;
  const auto version = text.substr(1, dot - 1);
  if (!std::all_of(version.begin(), version.end(), [](char c) { return hex_value(c) >= 0; })) return false;
  return text.find('%') == std::string_view::npos && consists_of(text.substr(dot + 1), ":", Charset::ascii);
}

struct Authority {
  std::string_view user;
  std::string_view host;
  std::string_view port; // with its colon
};

Authority split_authority(std::string_view text) {
  Authority out;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    out.user = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  const auto bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const auto end = bracket != std::string_view::npos ? bracket + 1 : std::min(text.find(':'), text.size());
  out.host = text.substr(0, end);
  out.port = text.substr(end);
  return out;
}

bool is_host(std::string_view host, Charset charset) {
  if (!host.starts_with('[')) return consists_of(host, "", charset);
  if (host.size() < 2 || !host.ends_with(']')) return false;
  const auto address = host.substr(1, host.size() - 2);
  return is_ipv6(address) || is_future_address(address);
}

bool is_authority(const Authority &authority, Charset charset) {
  if (!consists_of(authority.user, ":", charset) || !is_host(authority.host, charset)) return false;
  return authority.port.empty() || (authority.port[0] == ':' && is_digits(authority.port.substr(1)));
}

struct Parts {
  std::optional<std::string_view> scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
  std::optional<std::string_view> fragment;
};

// RFC 3986 appendix B: every text has these parts, right or wrong.
Parts split(std::string_view text) {
  Parts out;
  if (const auto hash = text.find('#'); hash != std::string_view::npos) {
    out.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const auto mark = text.find('?'); mark != std::string_view::npos) {
    out.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  if (const auto colon = text.find_first_of(":/"); colon != std::string_view::npos && text[colon] == ':') {
    out.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    const auto end = std::min(text.find('/', 2), text.size());
    out.authority = text.substr(2, end - 2);
    text.remove_prefix(end);
  }
  out.path = text;
  return out;
}

bool is_scheme(std::string_view scheme) {
  return !scheme.empty() && is_ascii_letter(static_cast<unsigned char>(scheme[0])) &&
         std::all_of(scheme.begin(), scheme.end(), [](char c) {
           return is_ascii_alphanumeric(static_cast<unsigned char>(c)) ||
                  is_one_of(static_cast<unsigned char>(c), "+-.");
         });
}

bool are_parts(const Parts &parts, Charset charset) {
  if (parts.scheme && !is_scheme(*parts.scheme)) return false; // a relative path with a colon in its first segment too
  if (parts.authority && !is_authority(split_authority(*parts.authority), charset)) return false;
  if (!consists_of(parts.path, ":@/", charset)) return false;
  if (parts.query && !consists_of(*parts.query, ":@/?", charset, true)) return false;
  return !parts.fragment || consists_of(*parts.fragment, ":@/?", charset);
}

// ---------------------------------------------------------------- RFC 6570

bool skip_variable_name(std::string_view text, std::size_t &at) {
  const std::size_t from = at;
  bool after_dot = true;
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '.' && !after_dot) {
      after_dot = true;
      ++at;
    } else if (is_escape(text, at)) {
      after_dot = false;
      at += 3;
    } else if (is_ascii_alphanumeric(c) || c == '_') {
      after_dot = false;
      ++at;
    } else {
      break;
    }
  }
  return at > from && !after_dot;
}

bool skip_modifier(std::string_view text, std::size_t &at) { // none, "*", ":1" to ":9999"
  if (at < text.size() && text[at] == '*') {
    ++at;
    return true;
  }
  if (at >= text.size() || text[at] != ':') return true;
  const std::size_t from = ++at;
  while (at < text.size() && is_ascii_digit(static_cast<unsigned char>(text[at])))
    ++at;
  return at > from && at - from <= 4 && text[from] != '0';
}

bool is_expression(std::string_view text) { // without its braces
  std::size_t at = !text.empty() && is_one_of(static_cast<unsigned char>(text[0]), "+#./;?&=,!@|") ? 1 : 0;
  for (;;) {
    if (!skip_variable_name(text, at) || !skip_modifier(text, at)) return false;
    if (at == text.size()) return true;
    if (text[at++] != ',') return false;
  }
}

bool is_literal(char32_t c) {
  if (c < 0x80) return c > 0x20 && c != 0x7F && !is_one_of(c, "\"%<>\\^`{|}");
  return is_universal(c) || is_private(c);
}

// ---------------------------------------------------------------- addresses

// Groups of up to four hexadecimal digits with colons between them, the last two perhaps as an IPv4 address. Returns
// how many groups there are, or nothing. No text: no groups.
std::optional<int> count_groups(std::string_view text, bool may_end_in_ipv4) {
  if (text.empty()) return 0;
  int groups = 0;
  for (;;) {
    const auto colon = text.find(':');
    const auto group = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    if (last && may_end_in_ipv4 && is_ipv4(group)) return groups + 2;
    if (group.empty() || group.size() > 4) return std::nullopt;
    if (!std::all_of(group.begin(), group.end(), [](char c) { return hex_value(c) >= 0; })) return std::nullopt;
    if (++groups > 8) return std::nullopt;
    if (last) return groups;
    text.remove_prefix(colon + 1);
  }
}

bool is_byte(std::string_view text) {
  if (text.empty() || text.size() > 3 || !is_digits(text) || (text.size() > 1 && text[0] == '0')) return false;
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value <= 255;
}

bool is_port_number(std::string_view digits) { // none is the scheme's own
  int value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return digits.empty() || (read.ec == std::errc() && value <= 65535);
}

} // namespace

bool is_ipv4(std::string_view text) {
  for (int i = 0; i < 3; ++i) {
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || !is_byte(text.substr(0, dot))) return false;
    text.remove_prefix(dot + 1);
  }
  return is_byte(text);
}

bool is_ipv6(std::string_view text) {
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) return count_groups(text, true) == 8;
  const auto before = count_groups(text.substr(0, gap), false);
  const auto after = count_groups(text.substr(gap + 2), true);
  return before && after && *before + *after <= 7;
}

bool is_uri(std::string_view text, Charset charset) {
  const Parts parts = split(text);
  return parts.scheme && are_parts(parts, charset);
}

bool is_uri_reference(std::string_view text, Charset charset) {
  return are_parts(split(text), charset);
}

bool is_url(std::string_view text) {
  if (!is_uri(text, Charset::international)) return false;
  const Parts parts = split(text);
  static constexpr std::array<std::string_view, 5> kWithHost = {"http", "https", "ws", "wss", "ftp"};
  const bool with_host = std::any_of(kWithHost.begin(), kWithHost.end(), [&](std::string_view scheme) {
    return std::equal(scheme.begin(), scheme.end(), parts.scheme->begin(), parts.scheme->end(),
                      [](char a, char b) { return a == (b | 0x20); });
  });
  if (!with_host) return true;
  if (!parts.authority) return false;
  const Authority authority = split_authority(*parts.authority);
  return !authority.host.empty() && is_port_number(authority.port.substr(authority.port.empty() ? 0 : 1));
}

bool is_uri_template(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '{') {
      const auto end = text.find('}', at);
      if (end == std::string_view::npos || !is_expression(text.substr(at + 1, end - at - 1))) return false;
      at = end + 1;
    } else if (is_escape(text, at)) {
      at += 3;
    } else if (!is_literal(next_code_point(text, at))) {
      return false;
    }
  }
  return true;
}

} // namespace trellis::schema
