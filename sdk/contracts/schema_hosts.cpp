#include "contracts/schema_grammars.h"
#include "contracts/schema_idna.h"
#include "contracts/schema_text.h"

#include <algorithm>
#include <array>
#include <optional>

namespace trellis::schema {
namespace {

constexpr std::size_t kMaxHost = 253;

bool is_letter_digit_hyphen(char c) {
  return c == '-' || is_ascii_alphanumeric(static_cast<unsigned char>(c));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// RFC 1123: letters, digits and inner hyphens.
bool is_plain_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), is_letter_digit_hyphen);
}

bool is_a_label(std::string_view label) { // "xn--", in any case
  return label.size() > 4 && (label[0] | 0x20) == 'x' && (label[1] | 0x20) == 'n' && label.substr(2, 2) == "--";
}

bool same_in_lower_case(std::span<const char32_t> lower, std::string_view text) {
  return std::equal(lower.begin(), lower.end(), text.begin(), text.end(), [](char32_t a, char b) {
    const char32_t c = static_cast<unsigned char>(b);
    return a == (is_ascii_letter(c) ? c | 0x20 : c);
  });
}

// The characters of a right A-label: it must be what its own characters encode to (RFC 5891 §5.4).
std::optional<Label> decoded_a_label(std::string_view label) {
  const auto encoded = label.substr(4);
  const auto decoded = punycode_decoded(encoded);
  if (!decoded || !is_u_label(decoded->characters())) return std::nullopt;
  const auto characters = decoded->characters();
  if (std::all_of(characters.begin(), characters.end(), [](char32_t c) { return c < 0x80; })) return std::nullopt;
  const auto back = punycode_encoded(characters);
  return back && same_in_lower_case(back->characters(), encoded) ? decoded : std::nullopt;
}

std::optional<Label> characters_of(std::string_view label) {
  Label out;
  for (std::size_t at = 0; at < label.size();)
    if (!out.add(next_code_point(label, at))) return std::nullopt;
  return out;
}

// The characters of a right label, an A-label's decoded.
std::optional<Label> read_label(std::string_view label, Charset charset) {
  if (!is_ascii(label)) {
    const auto out = charset == Charset::international ? characters_of(label) : std::nullopt;
    return out && is_u_label(out->characters()) ? out : std::nullopt;
  }
  if (!is_plain_label(label)) return std::nullopt;
  if (is_a_label(label)) return decoded_a_label(label);
  return label.substr(0, 4).ends_with("--") && label.size() > 3 ? std::nullopt : characters_of(label); // reserved
}

// Octets of the label in ASCII; more than there may be when it is too long.
std::size_t ascii_size(std::string_view label, const Label &characters) {
  if (is_ascii(label)) return label.size();
  const auto encoded = punycode_encoded(characters.characters());
  return encoded ? encoded->size() + 4 : kMaxHost + 1;
}

// The octets of a full stop at `at`; 0 when there is none. International names know four (RFC 3490 §3.1).
std::size_t stop_size(std::string_view text, std::size_t at, Charset charset) {
  if (text[at] == '.') return 1;
  if (charset == Charset::ascii) return 0;
  static constexpr std::array<std::string_view, 3> kOthers = {"\xE3\x80\x82", "\xEF\xBC\x8E", "\xEF\xBD\xA1"};
  return std::find(kOthers.begin(), kOthers.end(), text.substr(at, 3)) == kOthers.end() ? 0 : 3;
}

template <class Predicate>
bool all_labels(std::string_view text, Charset charset, Predicate predicate) {
  std::size_t from = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t stop = stop_size(text, at, charset);
    if (stop == 0) continue;
    if (!predicate(text.substr(from, at - from))) return false;
    from = at + stop;
  }
  return predicate(text.substr(from));
}

// Host names with a label from right to left follow RFC 5893 in all labels.
bool is_host(std::string_view text, Charset charset) {
  std::size_t size = 0;
  bool bidi = false;
  const bool right = all_labels(text, charset, [&](std::string_view text_of_label) {
    const auto label = read_label(text_of_label, charset);
    if (!label) return false;
    const std::size_t octets = ascii_size(text_of_label, *label);
    size += octets + 1;
    bidi = bidi || has_right_to_left(label->characters());
    return octets <= kMaxLabel && size <= kMaxHost + 1;
  });
  if (!right || !bidi) return right;
  return all_labels(text, charset, [&](std::string_view label) {
    return satisfies_bidi_rule(read_label(label, charset)->characters());
  });
}

// ---------------------------------------------------------------- mail

bool is_atom_character(char32_t c, Charset charset) {
  if (c >= 0x80) return charset == Charset::international;
  static constexpr std::string_view kMarks = "!#$%&'*+-/=?^_`{|}~";
  return is_ascii_alphanumeric(c) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_atom(std::string_view text, Charset charset) {
  if (text.empty()) return false;
  for (std::size_t at = 0; at < text.size();)
    if (!is_atom_character(next_code_point(text, at), charset)) return false;
  return true;
}

// The size of a quoted string at the start of `text`, with its quotes; 0 when there is none.
std::size_t quoted_size(std::string_view text, Charset charset) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t at = 1; at < text.size();) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\' && ++at == text.size()) return 0;
    const char32_t c = next_code_point(text, at);
    if (c < 0x20 || c == 0x7F || (c >= 0x80 && charset == Charset::ascii)) return 0;
  }
  return 0;
}

bool is_address_literal(std::string_view domain) { // "[127.0.0.1]", "[IPv6:::1]"
  if (domain.size() < 2 || !domain.ends_with(']')) return false;
  auto address = domain.substr(1, domain.size() - 2);
  if (!address.starts_with("IPv6:")) return is_ipv4(address);
  address.remove_prefix(5);
  return is_ipv6(address);
}

bool is_mail_domain(std::string_view domain, Charset charset) {
  if (domain.starts_with('[')) return is_address_literal(domain);
  return all_labels(domain, Charset::ascii, [&](std::string_view label) {
    return is_ascii(label) ? is_plain_label(label) : read_label(label, charset).has_value();
  });
}

bool is_local_part(std::string_view local, Charset charset) {
  return all_labels(local, Charset::ascii, [&](std::string_view atom) { return is_atom(atom, charset); });
}

} // namespace

bool is_email(std::string_view text, Charset charset) {
  const std::size_t quoted = quoted_size(text, charset);
  const std::size_t at = quoted > 0 ? quoted : text.find('@');
  if (at >= text.size() || text[at] != '@') return false;
  return (quoted > 0 || is_local_part(text.substr(0, at), charset)) && is_mail_domain(text.substr(at + 1), charset);
}

bool is_hostname(std::string_view text) {
  return is_host(text, Charset::ascii);
}

bool is_idn_hostname(std::string_view text) {
  return is_host(text, Charset::international);
}

} // namespace trellis::schema
