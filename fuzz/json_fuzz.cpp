// parse_json and canonical_json on outside bytes: canonical text parses, and is its own canonical text.

#include "contracts/canonical.h"
#include "contracts/json.h"
#include "require.h"

#include <cstddef>
#include <cstdint>
#include <rapidjson/document.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto value = trellis::parse_json({reinterpret_cast<const char *>(data), size});
  if (!value) return 0;
  const auto canonical = trellis::canonical_json(*value, trellis::NegativeZero::zero);
  if (!canonical) return 0; // a number beyond a double
  const auto again = trellis::parse_json(*canonical, {.max_bytes = std::size_t{64} << 20});
  trellis::fuzz::require(again.has_value());
  trellis::fuzz::require(trellis::canonical_json(*again).value() == *canonical);
  return 0;
}
