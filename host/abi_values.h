// Values that cross the C ABI: texts, headers, statuses, errors; read as far as their size covers, checked before use.
#pragma once

#include "contracts/result.h"
#include "runtime/rpc_service.h"
#include "transport/transport.h"
#include <cstddef>
#include <string_view>
#include <trellis/plugin.h>

namespace trellis::host {

inline constexpr std::size_t kMaxAbiHeaders = 64; // of one message from a plugin

inline std::string_view view(trellis_str text) {
  return text.data && text.size > 0 ? std::string_view{text.data, text.size} : std::string_view{};
}
inline trellis_str str(std::string_view text) {
  return {text.data(), text.size()};
}
inline bool is_text(trellis_str text) {
  return text.size == 0 || text.data != nullptr;
}

// What a plugin wrote into a growable struct, as far as its size covers it. The views live as long as `error`.
HandlerError read_error(const trellis_error *error);

// Gives a failure's details to a plugin that wants them.
void report_error(trellis_error_sink sink, const ErrorEnvelope &error);

trellis_status status_of_transport(const Error &error);

// A subject that a message can be published on: tokens without wildcards or white space.
bool is_publish_subject(std::string_view subject);

// Error "headers".
Result<Headers> read_headers(const trellis_header *headers, std::size_t count);

} // namespace trellis::host
