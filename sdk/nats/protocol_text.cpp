#include "nats/protocol_text.h"
#include "contracts/json.h"
#include <algorithm>
#include <cctype>
#include <rapidjson/document.h>

namespace trellis {

namespace {

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
         });
}

// The first Go-quoted string in `text`. Subjects hold no blanks or controls, so only \" and \\ occur.
std::string quoted_in(std::string_view text) {
  std::string out;
  const auto open = text.find('"');
  for (auto i = open; i != std::string_view::npos && ++i < text.size() && text[i] != '"';) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

} // namespace

std::optional<PermissionViolation> parse_permission_violation(std::string_view text) {
  using Action = PermissionViolation::Action;
  const auto start = text.find_first_not_of("' ");
  if (start == std::string_view::npos) return std::nullopt;
  text.remove_prefix(start);
  const std::string subject = quoted_in(text);
  if (starts_with_ignoring_case(text, "Permissions Violation for Publish to ")) return {{Action::publish, subject}};
  if (starts_with_ignoring_case(text, "Permissions Violation for Publish with Reply of "))
    return {{Action::publish_reply, subject}};
  if (starts_with_ignoring_case(text, "Permissions Violation for Subscription to "))
    return {{Action::subscribe, subject}};
  return std::nullopt;
}

bool tells_expiry(std::string_view text) {
  const auto start = text.find_first_not_of("' ");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  return starts_with_ignoring_case(text, "User Authentication Expired") ||
         starts_with_ignoring_case(text, "User Authentication Revoked") ||
         starts_with_ignoring_case(text, "Account Authentication Expired");
}

std::string escape_token(std::string_view token) {
  const JsonValue value(rapidjson::StringRef(token.data(), token.size()));
  const std::string quoted = to_json(value);
  return quoted.substr(1, quoted.size() - 2);
}

std::string without_userinfo(std::string_view url) {
  const auto scheme = url.find("://");
  const auto start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto at = url.rfind('@');
  if (at == std::string_view::npos || at < start) return std::string(url);
  return std::string(url.substr(0, start)) + std::string(url.substr(at + 1));
}

bool is_sendable_subject(std::string_view subject) {
  if (subject.empty() || subject.size() > kMaxSubject || subject.front() == '.' || subject.back() == '.') return false;
  return std::none_of(subject.begin(), subject.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20; }) &&
         subject.find("..") == std::string_view::npos;
}

bool is_sendable_header(std::string_view name, std::string_view value) {
  const auto in_name = [](char c) { return c > 0x20 && c < 0x7f && c != ':'; };
  const auto in_value = [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\t'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), in_name) &&
         std::all_of(value.begin(), value.end(), in_value);
}

} // namespace trellis
