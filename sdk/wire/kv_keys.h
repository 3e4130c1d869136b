// Keys and messages of JetStream key-value buckets (09 B2–B4).
#pragma once

#include <string>
#include <string_view>

namespace trellis {

// ^[-/=.A-Za-z0-9_]+$, no empty token: neither at the ends nor in the middle, where "a..b" would be no subject.
bool is_kv_key(std::string_view key);

std::string kv_stream(std::string_view bucket);                        // "KV_<bucket>"
std::string kv_subject(std::string_view bucket, std::string_view key); // "$KV.<bucket>.<key>"; `key` may be a filter
// The key of a message of the bucket, "" when the subject is none of it.
std::string_view kv_key_of(std::string_view bucket, std::string_view subject);

namespace kv_header {
inline constexpr char kOperation[] = "KV-Operation"; // DEL or PURGE
inline constexpr char kDelete[] = "DEL";
inline constexpr char kPurge[] = "PURGE";
inline constexpr char kMarkerReason[] = "Nats-Marker-Reason"; // MaxAge: the server's own marker
inline constexpr char kMaxAge[] = "MaxAge";
inline constexpr char kRollup[] = "Nats-Rollup";
inline constexpr char kRollupSubject[] = "sub";
inline constexpr char kExpectedSequence[] = "Nats-Expected-Last-Subject-Sequence";
} // namespace kv_header

// Whether a message with these header values ("" = absent) says that its key holds nothing.
bool is_kv_marker(std::string_view operation, std::string_view marker_reason);

} // namespace trellis
