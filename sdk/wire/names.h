// Names that cross the wire, each written once (06 §1, §2; 03 §6, §10).
#pragma once

#include <string_view>

namespace trellis::wire {

inline constexpr char kSessionKey[] = "session-key"; // request headers, compared case-sensitively
inline constexpr char kProof[] = "proof";
inline constexpr char kIat[] = "iat";
inline constexpr char kRequestId[] = "request-id";
inline constexpr char kTraceparent[] = "traceparent";
inline constexpr char kTracestate[] = "tracestate";
inline constexpr char kStatus[] = "status"; // reply header
inline constexpr char kStatusError[] = "error";
inline constexpr char kFeedStatus[] = "feed-status"; // of a feed's first frame (06 §7.3)
inline constexpr char kFeedReady[] = "ready";

inline constexpr char kValidateSubject[] = "rpc.v1.Auth.Requests.Validate";
inline constexpr char kValidateMethod[] = "Auth.Requests.Validate";

// The trace id of a valid traceparent, or "" (06 §9).
std::string_view trace_id_of(std::string_view traceparent);

} // namespace trellis::wire
