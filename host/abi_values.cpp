#include "abi_values.h"

#include <algorithm>
#include <string>

namespace trellis::host {

HandlerError read_error(const trellis_error *error) {
  HandlerError read;
  if (!error) return read;
  if (TRELLIS_HAS(trellis_error, error, type)) read.type = view(error->type);
  if (TRELLIS_HAS(trellis_error, error, message)) read.message = view(error->message);
  if (TRELLIS_HAS(trellis_error, error, context)) read.context = view(error->context);
  if (TRELLIS_HAS(trellis_error, error, fields)) read.fields = view(error->fields);
  return read;
}

void report_error(trellis_error_sink sink, const ErrorEnvelope &error) {
  if (!sink.report) return;
  const trellis_error out{sizeof(trellis_error), 0, str(error.type), str(error.message), str(error.context),
                          str(error.fields)};
  sink.report(sink.context, &out);
}

trellis_status status_of_transport(const Error &error) {
  if (error.code == transport_error::kNoResponders || error.code == transport_error::kClosed)
    return TRELLIS_E_UNAVAILABLE;
  if (error.code == transport_error::kTimeout) return TRELLIS_E_TIMEOUT;
  if (error.code == transport_error::kDenied) return TRELLIS_E_DENIED;
  if (error.code == transport_error::kTooLarge) return TRELLIS_E_TOO_LARGE;
  if (error.code == transport_error::kInvalid) return TRELLIS_E_INVALID;
  return TRELLIS_E_FAILED;
}

bool is_publish_subject(std::string_view subject) {
  if (subject.empty() || subject.front() == '.' || subject.back() == '.') return false;
  if (subject.find("..") != std::string_view::npos) return false;
  return std::none_of(subject.begin(), subject.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '*' || c == '>' || c == 0x7F; });
}

Result<Headers> read_headers(const trellis_header *headers, std::size_t count) {
  if (count > kMaxAbiHeaders || (count > 0 && !headers))
    return fail("headers", {}, std::to_string(count) + " headers", "at most " + std::to_string(kMaxAbiHeaders));
  Headers out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = view(headers[i].name), value = view(headers[i].value);
    if (name.empty() || !is_text(headers[i].value) || name.find_first_of(":\r\n ") != std::string_view::npos ||
        value.find_first_of("\r\n") != std::string_view::npos)
      return fail("headers", {}, "header " + std::to_string(i) + " is malformed", "a name, and a value of one line");
    out.push_back({std::string(name), std::string(value)});
  }
  return out;
}

} // namespace trellis::host
