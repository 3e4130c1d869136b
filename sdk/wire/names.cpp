#include "wire/names.h"

#include <algorithm>

namespace trellis::wire {
namespace {

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

} // namespace

// 2-32-16-2 hex digits.
std::string_view trace_id_of(std::string_view traceparent) {
  if (traceparent.size() != 55) return {};
  if (traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') return {};
  const auto version = traceparent.substr(0, 2);
  const auto trace_id = traceparent.substr(3, 32);
  const auto parent_id = traceparent.substr(36, 16);
  const auto flags = traceparent.substr(53, 2);
  for (const auto part : {version, trace_id, parent_id, flags})
    if (!is_lower_hex(part)) return {};
  if (version == "ff" || all_zero(trace_id) || all_zero(parent_id)) return {};
  return trace_id;
}

} // namespace trellis::wire
