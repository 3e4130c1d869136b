// Hosts of WHATWG URLs: domains, IPv4 in all its old spellings, IPv6.
#include "wire/url_encoding.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

namespace trellis::url {
namespace {

constexpr std::string_view kForbiddenInHost = "\t\n\r #/:<>?@[\\]^|";

tl::unexpected<Error> bad_host(std::string_view host, std::string message) {
  return fail("url_host", std::string(host), std::move(message), "a host name or an IP address");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::vector<std::string_view> split_at_dots(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0;;) {
    const auto dot = text.find('.', start);
    parts.push_back(text.substr(start, dot == std::string_view::npos ? dot : dot - start));
    if (dot == std::string_view::npos) return parts;
    start = dot + 1;
  }
}

// A part of an IPv4 address: decimal, octal after "0", hexadecimal after "0x". Values that are too large for any
// address come out as 2^32.
std::optional<std::uint64_t> ipv4_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  if (text.empty()) return 0;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
  constexpr std::uint64_t kTooLarge = std::uint64_t{1} << 32;
  return error == std::errc::result_out_of_range ? kTooLarge : std::min(value, kTooLarge);
}

// Whether the host has to be an IPv4 address: its last part is a number.
bool ends_in_a_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return false;
  const auto last = host.substr(host.rfind('.') + 1); // npos + 1 = 0: the only part
  if (!last.empty() && std::all_of(last.begin(), last.end(), is_digit)) return true;
  return ipv4_number(last).has_value();
}

std::string ipv4_text(std::uint64_t address) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) {
    if (!out.empty()) out += '.';
    out += std::to_string(address >> shift & 255U);
  }
  return out;
}

Result<std::string> parse_ipv4(std::string_view host) {
  auto parts = split_at_dots(host);
  if (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  if (parts.size() > 4) return bad_host(host, "an IPv4 address of more than four parts");
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = ipv4_number(parts[i]);
    const bool last = i + 1 == parts.size();
    // The last number fills all bytes that are left.
    const std::uint64_t limit = last ? std::uint64_t{1} << (8 * (4 - i)) : 256;
    if (!number || *number >= limit) return bad_host(host, "not an IPv4 address");
    address += last ? *number : *number << (8 * (3 - i));
  }
  return ipv4_text(address);
}

using Ipv6Groups = std::array<unsigned, 8>;

struct Run {
  std::size_t start = 0;
  std::size_t size = 0;
};

// The first longest run of zero groups, of at least two.
Run zeros_to_compress(const Ipv6Groups &groups) {
  Run best;
  for (std::size_t i = 0; i < groups.size();) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0)
      ++end;
    if (end - i > best.size) best = {i, end - i};
    i = end + 1;
  }
  return best.size >= 2 ? best : Run{groups.size(), 0};
}

std::string ipv6_text(const Ipv6Groups &groups) {
  const Run zeros = zeros_to_compress(groups);
  std::string out = "[";
  for (std::size_t i = 0; i < groups.size();) {
    if (zeros.size > 0 && i == zeros.start) {
      out += i == 0 ? "::" : ":";
      i += zeros.size;
      continue;
    }
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16).ptr;
    out.append(digits.data(), end);
    if (++i < groups.size()) out += ':';
  }
  return out + "]";
}

// `text` without the brackets. inet_pton reads exactly what WHATWG allows; inet_ntop would write IPv4-mapped addresses
// in another form than browsers do.
Result<std::string> parse_ipv6(std::string_view text) {
  const std::string terminated(text);
  in6_addr address{};
  if (terminated.find('\0') != std::string::npos || inet_pton(AF_INET6, terminated.c_str(), &address) != 1)
    return bad_host(text, "not an IPv6 address");
  Ipv6Groups groups{};
  for (std::size_t i = 0; i < groups.size(); ++i)
    groups[i] = static_cast<unsigned>(address.s6_addr[2 * i] << 8 | address.s6_addr[2 * i + 1]);
  return ipv6_text(groups);
}

bool is_forbidden_in_host(char c) {
  return c == '\0' || kForbiddenInHost.find(c) != std::string_view::npos;
}

bool is_forbidden_in_domain(char c) {
  return static_cast<std::uint8_t>(c) <= 0x1F || c == 0x7F || c == '%' || is_forbidden_in_host(c);
}

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

Result<std::string> parse_domain(std::string_view text) {
  std::string domain = percent_decode(text);
  if (std::any_of(domain.begin(), domain.end(), [](char c) { return static_cast<std::uint8_t>(c) > 0x7F; }))
    return fail("url_host_not_ascii", std::string(text), "a host name outside ASCII", "its xn-- form");
  std::transform(domain.begin(), domain.end(), domain.begin(), to_lower);
  if (domain.empty()) return bad_host(text, "an empty host");
  if (std::any_of(domain.begin(), domain.end(), is_forbidden_in_domain))
    return bad_host(text, "a character that host names can't have");
  if (ends_in_a_number(domain)) return parse_ipv4(domain);
  return domain;
}

Result<std::string> parse_opaque(std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_forbidden_in_host))
    return bad_host(text, "a character that hosts can't have");
  std::string out;
  append_encoded(out, text, EncodeSet::c0_control);
  return out;
}

} // namespace

Result<std::string> parse_host(std::string_view text, bool special) {
  if (!text.starts_with('[')) return special ? parse_domain(text) : parse_opaque(text);
  if (!text.ends_with(']')) return bad_host(text, "a bracket that is not closed");
  return parse_ipv6(text.substr(1, text.size() - 2));
}

} // namespace trellis::url
