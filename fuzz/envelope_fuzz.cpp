// Error envelopes from outside, and envelopes made of outside texts: what is written always reads back.

#include "require.h"
#include "wire/error_envelope.h"
#include "wire/names.h"

#include <cstddef>
#include <cstdint>

using trellis::fuzz::require;

namespace {

// The limits of reading don't apply to writing: an envelope around a text at the limit may be too deep or too large.
constexpr std::size_t kSmall = 400;

void reads_back(const trellis::ErrorEnvelope &envelope) {
  const std::string written = envelope.to_json();
  const auto again = trellis::parse_envelope(written);
  require(again.has_value() || written.size() > kSmall);
  if (!again) return;
  require(again->trace_id.empty() == envelope.trace_id.empty());
  require(again->to_json() == trellis::parse_envelope(again->to_json())->to_json());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  if (const auto envelope = trellis::parse_envelope(text)) reads_back(*envelope);

  trellis::ErrorEnvelope made;
  made.type = text;
  made.message = text;
  made.context = text;
  made.fields = text;
  made.trace_id = text;
  reads_back(made);
  reads_back(trellis::unexpected_error(text));
  reads_back(trellis::auth_error(text));

  const auto trace_id = trellis::wire::trace_id_of(text);
  require(trace_id.empty() || trace_id.size() == 32);
  return 0;
}
