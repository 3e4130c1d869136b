#include "wire/error_metric.h"

#include "wire/error_envelope.h"
#include <algorithm>
#include <array>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::size_t kLongest = 96;
constexpr std::size_t kHexRun = 12; // also finds UUIDs: their last segment has twelve digits

constexpr std::array<std::string_view, 10> kSubjectFamilies = {"rpc",   "events", "feeds", "operations", "jobs",
                                                               "state", "kv",     "store", "resources",  "transfer"};

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_hex_run(std::string_view segment) {
  return segment.size() >= kHexRun && segment.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_ulid(std::string_view segment) {
  return segment.size() == 26 && std::all_of(segment.begin(), segment.end(), [](char c) {
           return is_alphanumeric(c) && std::string_view("ILOUilou").find(c) == std::string_view::npos;
         });
}

bool holds_an_id(std::string_view value) {
  while (true) {
    const auto end = value.find_first_of("_.:-");
    const auto segment = value.substr(0, end);
    if (is_hex_run(segment) || is_ulid(segment)) return true;
    if (end == std::string_view::npos) return false;
    value.remove_prefix(end + 1);
  }
}

// "<family>.v<digits>."
bool is_subject(std::string_view value) {
  const auto dot = value.find('.');
  if (dot == std::string_view::npos ||
      std::find(kSubjectFamilies.begin(), kSubjectFamilies.end(), value.substr(0, dot)) == kSubjectFamilies.end())
    return false;
  value.remove_prefix(dot + 1);
  if (!value.starts_with('v')) return false;
  const auto digits = value.find_first_not_of("0123456789", 1);
  return digits != std::string_view::npos && digits > 1 && value[digits] == '.';
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

std::string_view first_of(std::initializer_list<std::string_view> texts) {
  for (const auto text : texts)
    if (!text.empty()) return text;
  return {};
}

// "" of any other error: a contract's own may have a reason, too.
std::string_view auth_reason(const JsonValue &error) {
  const auto reason = string_member(error, "reason");
  const auto type = first_of({string_member(error, "type"), string_member(error, "name")});
  return type == "AuthError" && is_auth_reason(reason) ? reason : std::string_view();
}

} // namespace

std::map<std::string, std::string> error_metric(const JsonValue &error, const ErrorSite &site) {
  const auto type = string_member(error, "type");
  const auto exception = first_of({string_member(error, "name"), type, "unknown"});
  const auto *remote = find_member(error, "remoteError");
  const auto reason = first_of({auth_reason(error), remote ? auth_reason(*remote) : ""});

  std::map<std::string, std::string> out;
  const auto add = [&](const char *name, std::string_view value) {
    if (auto bounded = bounded_attribute(value); !bounded.empty()) out.emplace(name, std::move(bounded));
  };
  add("exception.type", exception);
  add("trellis.error.type", first_of({site.error_type, type, exception}));
  add("trellis.remote_error.type", remote ? string_member(*remote, "type") : "");
  add("trellis.surface", site.surface);
  add("trellis.direction", site.direction);
  add("trellis.operation", site.operation);
  add("trellis.phase", site.phase);
  add("trellis.auth.reason", reason);
  add("messaging.system", site.messaging_system);
  return out;
}

std::string bounded_attribute(std::string_view value) {
  value = trimmed(value);
  const bool allowed = value.size() <= kLongest && std::all_of(value.begin(), value.end(), [](char c) {
                         return is_alphanumeric(c) || std::string_view("_.:-").find(c) != std::string_view::npos;
                       });
  return allowed && !holds_an_id(value) && !is_subject(value) ? std::string(value) : std::string();
}

} // namespace trellis
