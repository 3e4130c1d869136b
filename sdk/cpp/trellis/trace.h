// The trace that a request or an event belongs to (W3C Trace Context, 06 §9), and how log lines name it.
//
// A call or event made through trellis::Call stays in its request's trace by itself. Work that goes on after the answer
// keeps a copy (call.trace()) and goes on in it: service.within(trace). Work that no request caused may begin a trace.
// There are no spans here: nothing is exported, what came in is passed on.
#pragma once

#include "trellis/json_text.h"
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// Owns its texts. Without a valid traceparent it is empty, as if nothing had come.
class Trace {
public:
  Trace() = default;
  explicit Trace(std::string_view traceparent, std::string_view tracestate = {}) {
    if (!is_traceparent(traceparent)) return;
    traceparent_ = traceparent;
    tracestate_ = tracestate;
  }
  // A new one, with nobody above it.
  static Trace fresh() { return Trace("00-" + random_hex(32) + "-" + random_hex(16) + "-01"); }

  explicit operator bool() const { return !traceparent_.empty(); }
  const std::string &traceparent() const { return traceparent_; }
  const std::string &tracestate() const { return tracestate_; }
  // 32 hexadecimal digits, or "".
  std::string_view trace_id() const { return trace_id_of(traceparent_); }

  // A step of its own below this one: what follows names the fresh id as its parent. Empty of an empty one.
  Trace child() const {
    if (traceparent_.empty()) return {};
    Trace out = *this;
    out.traceparent_.replace(kParentAt, 16, random_hex(16));
    return out;
  }

  static std::string_view trace_id_of(std::string_view traceparent) {
    return is_traceparent(traceparent) ? traceparent.substr(kTraceAt, 32) : std::string_view{};
  }
  static bool is_traceparent(std::string_view text) {
    constexpr std::string_view kZeros = "00000000000000000000000000000000";
    if (text.size() != kSize || text[2] != '-' || text[kParentAt - 1] != '-' || text[kParentAt + 16] != '-')
      return false;
    const auto version = text.substr(0, 2), trace = text.substr(kTraceAt, 32), parent = text.substr(kParentAt, 16);
    return is_hex(version) && version != "ff" && is_hex(trace) && trace != kZeros && is_hex(parent) &&
           parent != kZeros.substr(0, 16) && is_hex(text.substr(kSize - 2));
  }

private:
  static constexpr std::size_t kTraceAt = 3, kParentAt = 36, kSize = 55;

  static bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  }
  // Not all zeros.
  static std::string random_hex(std::size_t digits) {
    std::random_device random; // each digit is as good as the system's randomness
    std::string out;
    while (out.size() < digits)
      out += "0123456789abcdef"[random() & 15U];
    return out.find_first_not_of('0') == std::string::npos ? random_hex(digits) : out;
  }

  std::string traceparent_, tracestate_;
};

// The fields of a log line, a JSON object or "", with the members requestId and traceId before them.
inline std::string correlated_fields(std::string_view fields, std::string_view request_id, std::string_view trace_id) {
  std::string out = "{";
  const auto add = [&](std::string_view name, std::string_view value) {
    std::string text;
    if (value.empty() || !json::append_string(text, value)) return; // what is no UTF-8 can't be in JSON
    out += out.size() > 1 ? ",\"" : "\"";
    out.append(name).append("\":").append(text);
  };
  add("requestId", request_id);
  add("traceId", trace_id);
  const auto first = fields.find('{'), last = fields.rfind('}');
  if (first == std::string_view::npos || last == std::string_view::npos) {
    add("fields", fields); // no object: a text like any other
    return out + "}";
  }
  const auto members = fields.substr(first + 1, last - first - 1);
  if (members.find_first_not_of(" \t\r\n") == std::string_view::npos) return out + "}";
  out += out.size() > 1 ? "," : "";
  return out.append(members) + "}";
}

} // namespace trellis
