// The counter `trellis.errors` (06 §9.1): one for each failure that a runtime sees, on every surface.
//
// Its attributes are cleaned by wire/error_metric, so that neither ids nor subjects get in; the number of different
// ones is bounded as well, because error types come from other services. Counting an error may allocate: what failed
// was written as JSON before.
#pragma once

#include "runtime/metrics_set.h"
#include "wire/error_metric.h"
#include <string_view>

namespace trellis {

// Values of ErrorSite for rpc; events and feeds have theirs in 06 §9.1.
namespace error_phase {
inline constexpr char kParse[] = "parse"; // server
inline constexpr char kInputValidation[] = "input_validation";
inline constexpr char kAuth[] = "auth";
inline constexpr char kHandlerThrow[] = "handler_throw";
inline constexpr char kHandlerResult[] = "handler_result";
inline constexpr char kOutputEncoding[] = "output_encoding";
inline constexpr char kRequestEncoding[] = "request_encoding"; // client
inline constexpr char kRequestSend[] = "request_send";
inline constexpr char kResponseDecoding[] = "response_decoding";
inline constexpr char kRemoteError[] = "remote_error";
inline constexpr char kUnexpected[] = "unexpected";
} // namespace error_phase

inline constexpr std::size_t kMaxErrorSeries = 500; // beyond it, the types of errors are "other"

class ErrorCounter {
public:
  // [thread-safe] `error`: the error as JSON, for example an envelope; a text that is no JSON object counts as unknown.
  void count(const ErrorSite &site, std::string_view error);
  void count(const ErrorSite &site, const JsonValue &error);

  std::vector<MetricFamily> families() const; // [thread-safe]

private:
  MetricSet series_{kMaxErrorSeries}, others_{kMaxErrorSeries};
};

} // namespace trellis
