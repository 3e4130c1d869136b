#include "wire/url.h"

#include "wire/url_encoding.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace trellis {
namespace {

using url::append_encoded;
using url::EncodeSet;

struct SpecialScheme {
  std::string_view name;
  std::uint16_t port;
};
constexpr std::array<SpecialScheme, 5> kSpecialSchemes = {
    {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}}};

const SpecialScheme *special_scheme(std::string_view name) {
  const auto found = std::find_if(kSpecialSchemes.begin(), kSpecialSchemes.end(),
                                  [&](const SpecialScheme &scheme) { return scheme.name == name; });
  return found == kSpecialSchemes.end() ? nullptr : &*found;
}

bool is_alpha(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_scheme_character(char c) {
  return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// What a parser of a browser sees: no controls or spaces around the text, no tabs and line ends in it.
std::string cleaned(std::string_view text) {
  const auto strip = [](char c) { return static_cast<std::uint8_t>(c) <= 0x20; };
  while (!text.empty() && strip(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && strip(text.back()))
    text.remove_suffix(1);
  std::string out = url::to_utf8(text);
  std::erase_if(out, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
  return out;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

// Takes the text up to the first of `stops` off `rest`.
std::string_view take_until(std::string_view &rest, std::string_view stops) {
  const auto size = std::min(rest.find_first_of(stops), rest.size());
  const auto taken = rest.substr(0, size);
  rest.remove_prefix(size);
  return taken;
}

bool is_single_dot(std::string_view segment) {
  return segment == "." || lower_case(segment) == "%2e";
}

bool is_double_dot(std::string_view segment) {
  const std::string lower = lower_case(segment);
  return lower == ".." || lower == ".%2e" || lower == "%2e." || lower == "%2e%2e";
}

// `text` starts with a slash, or is the empty path of a special URL.
std::string normalized_path(std::string_view text, bool special) {
  const std::string_view slashes = special ? "/\\" : "/";
  std::vector<std::string> segments;
  for (bool more = true; more;) {
    if (!text.empty()) text.remove_prefix(1);
    const auto segment = take_until(text, slashes);
    more = !text.empty();
    if (is_double_dot(segment)) {
      if (!segments.empty()) segments.pop_back();
      if (!more) segments.emplace_back();
    } else if (is_single_dot(segment)) {
      if (!more) segments.emplace_back();
    } else {
      append_encoded(segments.emplace_back(), segment, EncodeSet::path);
    }
  }
  std::string path;
  for (const auto &segment : segments)
    path.append("/").append(segment);
  return path;
}

tl::unexpected<Error> invalid(std::string_view text, std::string message) {
  return fail("url_invalid", std::string(text), std::move(message), "an absolute URL");
}

// Reads one cleaned text from its front into a URL.
class Parser {
public:
  explicit Parser(std::string_view text) : whole_(text), rest_(text) {}

  Result<Url> parse() {
    if (!take_scheme()) return fail("url_scheme", std::string(whole_), "a URL without scheme", "an absolute URL");
    if (url_.scheme == "file") return fail("url_scheme", std::string(whole_), "file URLs are not supported");
    special_ = special_scheme(url_.scheme);
    if (takes_authority()) {
      if (auto taken = take_authority(); !taken) return tl::make_unexpected(taken.error());
    }
    take_path();
    take_query_and_fragment();
    return std::move(url_);
  }

private:
  bool take_scheme() {
    const auto size =
        static_cast<std::size_t>(std::find_if_not(rest_.begin(), rest_.end(), is_scheme_character) - rest_.begin());
    if (size == 0 || size == rest_.size() || rest_[size] != ':' || !is_alpha(rest_[0])) return false;
    url_.scheme = lower_case(rest_.substr(0, size));
    rest_.remove_prefix(size + 1);
    return true;
  }

  // A special URL has an authority however many slashes come first, also none.
  bool takes_authority() {
    if (special_) {
      rest_.remove_prefix(std::min(rest_.find_first_not_of("/\\"), rest_.size()));
      return true;
    }
    if (!rest_.starts_with("//")) return false;
    rest_.remove_prefix(2);
    return true;
  }

  Result<void> take_authority() {
    std::string_view authority = take_until(rest_, special_ ? "/\\?#" : "/?#");
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
      take_credentials(authority.substr(0, at));
      authority.remove_prefix(at + 1);
      if (authority.empty()) return invalid(whole_, "credentials without host");
    }
    return take_host_and_port(authority);
  }

  void take_credentials(std::string_view text) {
    const auto colon = text.find(':');
    append_encoded(url_.username, text.substr(0, colon), EncodeSet::userinfo);
    if (colon != std::string_view::npos) append_encoded(url_.password, text.substr(colon + 1), EncodeSet::userinfo);
  }

  Result<void> take_host_and_port(std::string_view text) {
    const auto bracket = text.rfind(']');
    const auto colon = text.find(':', text.starts_with('[') && bracket != std::string_view::npos ? bracket : 0);
    const auto host_text = text.substr(0, colon);
    if (host_text.empty() && (special_ || colon != std::string_view::npos)) return invalid(whole_, "no host");
    auto host = url::parse_host(host_text, special_ != nullptr);
    if (!host) return tl::make_unexpected(std::move(host.error()));
    url_.host = std::move(*host);
    return colon == std::string_view::npos ? Result<void>() : take_port(text.substr(colon + 1));
  }

  Result<void> take_port(std::string_view text) {
    const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    std::uint32_t port = 0;
    const auto error = text.empty() ? std::errc() : std::from_chars(text.data(), text.data() + text.size(), port).ec;
    if (!digits || error != std::errc() || port > 65535)
      return fail("url_port", std::string(whole_), "not a port", "a number up to 65535");
    const auto value = static_cast<std::uint16_t>(port);
    if (!text.empty() && !(special_ && special_->port == value)) url_.port = value;
    return {};
  }

  void take_path() {
    const auto text = take_until(rest_, "?#");
    if (special_ || text.starts_with('/')) {
      url_.path = normalized_path(text, special_ != nullptr);
    } else { // an opaque path ("mailto:someone"), or none at all
      append_encoded(url_.path, text, EncodeSet::c0_control);
      // A space that ends an opaque path would be lost if the URL were read again.
      if (!url_.path.empty() && url_.path.back() == ' ') url_.path.replace(url_.path.size() - 1, 1, "%20");
    }
  }

  void take_query_and_fragment() {
    if (rest_.starts_with('?')) {
      rest_.remove_prefix(1);
      append_encoded(url_.query.emplace(), take_until(rest_, "#"),
                     special_ ? EncodeSet::special_query : EncodeSet::query);
    }
    if (!rest_.starts_with('#')) return;
    rest_.remove_prefix(1);
    append_encoded(url_.fragment.emplace(), rest_, EncodeSet::fragment);
  }

  std::string_view whole_;
  std::string_view rest_;
  const SpecialScheme *special_ = nullptr;
  Url url_;
};

} // namespace

bool is_special_scheme(std::string_view scheme) {
  return special_scheme(scheme) != nullptr;
}

Result<Url> parse_url(std::string_view text) {
  const std::string clean = cleaned(text);
  return Parser(clean).parse();
}

std::string Url::text() const {
  std::string out = scheme + ":";
  if (host) {
    out += "//";
    if (!username.empty() || !password.empty()) {
      out += username;
      if (!password.empty()) out.append(":").append(password);
      out += '@';
    }
    out += *host;
    if (port) out.append(":").append(std::to_string(*port));
  } else if (path.starts_with("//")) {
    out += "/."; // else the path would read as a host
  }
  out += path;
  if (query) out.append("?").append(*query);
  if (fragment) out.append("#").append(*fragment);
  return out;
}

std::string Url::origin() const {
  if (!is_special_scheme(scheme) || !host) return "null";
  std::string out = scheme + "://" + *host;
  if (port) out.append(":").append(std::to_string(*port));
  return out;
}

} // namespace trellis
